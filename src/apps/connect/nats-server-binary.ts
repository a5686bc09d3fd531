/** The nats-server that `npm run setup` or the machine brings. */
import { KnowledgeNetError } from "../../errors/index.ts";
import { locateTool, setupCommand } from "../../../setup/index.ts";

/** @param purpose "for this run". @throws KnowledgeNetError KN_UNAVAILABLE where there is none */
export function natsServerBinary(purpose: string, env: NodeJS.ProcessEnv): string {
  const binary = locateTool("nats-server", env);
  if (binary !== undefined) return binary;
  throw new KnowledgeNetError("KN_UNAVAILABLE", {
    attempt: `start a nats-server ${purpose}`,
    rule: "nats-server 2.12 or later must be installed",
    value: "none found",
    remedy: `run \`${setupCommand()}\`, or use a running server: --bus nats://host:4222`,
  });
}
