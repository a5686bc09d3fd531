/** The observer of a model beside its gateway, supervised: serving goes on whatever becomes of it. */
import { createModelObserver, type ServingActorDeps } from "../../jobs/kinds/serving/serving-actors.ts";
import type { ModelStore } from "../../models/index.ts";
import type { ObserveSpec } from "../../run-spec/index.ts";
import { createSupervisor } from "../../runtime/actor/index.ts";
import { uniqueId } from "../../runtime/unique-id.ts";
import type { Redact } from "./load-redaction.ts";

export interface RunObserverOptions {
  readonly run: string;
  /** Of the gateway beside it. */
  readonly index: number;
  readonly observe: ObserveSpec;
  readonly softwareVersion: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface RunObserverDeps extends ServingActorDeps {
  /** Where the observations go. */
  readonly store: Pick<ModelStore, "use">;
  readonly redact?: Redact | undefined;
}

/** Resolves when it runs. Rejects when it cannot be started, with KN_CONFIG for a budget that holds no input. */
export async function startObserver(options: RunObserverOptions, deps: RunObserverDeps): Promise<AsyncDisposable> {
  const { index } = options;
  const { redact, ...rest } = deps;
  const supervisor = createSupervisor(
    { isPatient: true },
    {
      ...deps,
      factory: () =>
        createModelObserver(
          options,
          { index, fence: 0, epoch: uniqueId() },
          { ...rest, ...(redact === undefined ? {} : { redact }) },
        ),
    },
  );
  await supervisor.start();
  void supervisor.ended.then((error) => {
    if (error instanceof Error) deps.log.error({ err: error }, "inputs are not observed any more");
  });
  return { [Symbol.asyncDispose]: () => supervisor.stop() };
}
