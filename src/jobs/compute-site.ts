/** The place where an actor computes: a worker thread, started for the first who asks and anew when it has died. */
import { type BackendInfo, type BackendPreference, type ComputeWorker, createComputeWorker } from "../compute/index.ts";

export interface ComputeSite extends AsyncDisposable {
  /** Undefined before the first worker runs. */
  readonly backend: BackendInfo | undefined;
  worker(): Promise<ComputeWorker>;
  /** Tensors alive in its worker. */
  countTensors(): Promise<number>;
  close(): Promise<void>;
}

export function createComputeSite(preference: BackendPreference): ComputeSite {
  let starting: Promise<ComputeWorker> | undefined;
  let backend: BackendInfo | undefined;
  const close = async (): Promise<void> => {
    const started = await starting?.catch(() => undefined);
    await started?.close();
  };
  return {
    get backend() {
      return backend;
    },
    worker() {
      starting ??= createComputeWorker({ backend: preference }).then((started) => {
        backend = started.backend;
        void started.closed.then(() => {
          starting = undefined;
        });
        return started;
      });
      return starting;
    },
    async countTensors() {
      return starting === undefined ? 0 : (await (await starting).call("memory", {})).result.tensors;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
