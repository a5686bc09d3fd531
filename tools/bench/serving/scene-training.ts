/** The training beside a served model: `kn run` on the same bus, so that gateways can tell it to yield. */
import { join } from "node:path";
import { connectNatsBus } from "../../../src/runtime/bus/index.ts";
import { createControlChannel } from "../../../src/runtime/actor/index.ts";
import { actorsOf } from "../../../src/jobs/index.ts";
import type { TrainingSpec } from "../../../src/run-spec/index.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { startKn } from "./kn-process.ts";
import type { SceneTraining } from "./serving-scene.ts";

export interface SceneTrainingOptions {
  /** Name of the run, another one each time. */
  readonly name: string;
  /** File of `spec`. */
  readonly file: string;
  readonly spec: TrainingSpec;
  readonly natsUrl: string;
  /** Folder of its results. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** It heeds the notices of gateways on this machine. */
  readonly governor: boolean;
  readonly onOutput: (text: string) => void;
}

/** It goes on until it is disposed of. */
const ENDLESS = "training.epochs=100000";
/** An evaluation is no step: none interrupts what is measured. */
const NO_EVALUATION = "evaluation.everySteps=1000000";
/** As docs/operations.md advises for training beside serving. */
const NICENESS = 19;
/** Notices name machines, and this is none. */
const ELSEWHERE = "another-machine";

/** Rejects with KN_UNAVAILABLE when the run does not begin; `steps` throws it when the run has ended by itself. */
export async function startSceneTraining(options: SceneTrainingOptions): Promise<SceneTraining> {
  const { name, file, spec, natsUrl, folder, env, governor, onOutput } = options;
  const lastLearner = actorsOf(spec, "training").learners.at(-1) ?? "";
  const onHandlerError = (error: unknown): void => {
    onOutput(String(error));
  };
  const bus = await connectNatsBus({ servers: natsUrl, name: `${name} of kn bench` }, { onHandlerError });
  try {
    let finished = 0;
    const channel = createControlChannel({ run: name, actor: "bench" }, { bus, log: silentLogger });
    channel.watch(lastLearner, ({ header, fact }) => {
      if (fact.kind === "Progress") finished = Math.max(finished, header.step);
    });
    const run = await startKn({
      args: [
        ...["run", file, "--name", name, "--bus", natsUrl, "--runs", join(folder, "runs")],
        ...["--set", ENDLESS, "--set", NO_EVALUATION],
      ],
      env: governor ? env : { ...env, KN_HOST: ELSEWHERE },
      ready: new RegExp(`^(run ${name}) in `, "m"),
      onOutput,
      niceness: NICENESS,
    });
    return {
      steps() {
        if (run.failure !== undefined) throw run.failure;
        return finished;
      },
      async [Symbol.asyncDispose]() {
        await run.stop();
        await bus.close();
      },
    };
  } catch (error) {
    await bus.close();
    throw error;
  }
}
