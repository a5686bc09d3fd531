/** Name of this machine: processes with the same name share its cores. */
import { hostname } from "node:os";

/** In a container the host name is the container's own: KN_HOST is that of the machine, in Kubernetes spec.nodeName. */
export function machineName({ KN_HOST }: NodeJS.ProcessEnv): string {
  return KN_HOST === undefined || KN_HOST === "" ? hostname() : KN_HOST;
}
