/**
 * `kn demo --follow`: a student of upright digits is served while the digits begin to turn. It follows an oracle that knows
 * all turns; a frozen copy beside it does not.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PACKAGE_ROOT } from "../../../setup/index.ts";
import { classesOf, type FollowEvent } from "../../actors/learner/index.ts";
import { createComputeWorker } from "../../compute/index.ts";
import type { DriftWindow } from "../../data/drift/index.ts";
import { allWeights } from "../../jobs/kinds/continuous/create-learner.ts";
import { openStudentLab } from "../../jobs/kinds/continuous/student-lab.ts";
import { percentText } from "../../jobs/text.ts";
import { type Model, openModel } from "../../models/index.ts";
import { parseContinuousSpec } from "../../run-spec/index.ts";
import { drawLines } from "../follow/follow-chart.ts";
import { type Answered, sendWindow, turningDigits } from "../follow/turning-traffic.ts";
import { folderModels } from "../models/index.ts";
import { openDataset } from "../open-dataset.ts";
import { publishRun } from "./commands/publish.ts";
import { type RunCommandOptions, runSpecFile } from "./commands/run.ts";
import type { ExecuteDeps } from "./execute-run.ts";
import { EXIT_OK } from "./exit.ts";
import { followSpec } from "./follow-spec.ts";
import { drawTable } from "./text-table.ts";

const example = (name: string): string => join(PACKAGE_ROOT, "examples", `${name}.yaml`);
const WINDOWS = 8;
/** Turn in the last window. Digits that lie on their side are other digits to a network that has not seen them. */
const DEGREES = 60;
/** 8 seconds of traffic, of which 80 inputs are observed. */
const IMAGES = 1_600;
/** On a slow machine the world waits for the learner: until it has done nothing for a while, at most so long, ms. */
const MAX_WAIT_MS = 60_000;
const IDLE_MS = 1_000;
const LOOK_MS = 50;
/** Half of the usual: minutes are short. */
const STEPS = "training.steps=150";
/** Enough for an oracle of 97 % at every turn, in a minute on two cores. */
const ORACLE_IMAGES = "data.limit=24000";

interface Row {
  readonly window: number;
  readonly answered: Answered;
  readonly frozen: number;
  readonly oracle: number;
}

/** @returns the exit code. */
export async function followDemo(options: RunCommandOptions, deps: ExecuteDeps): Promise<number> {
  const { terminal, clock } = deps;
  const file = example("follow");
  const text = await readFile(file, "utf8");
  const name = `follow-${new Date(clock.wallTimeMs()).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-")}`;
  // Of this demo alone: another one begins with the student of upright digits again.
  const models = join(options.runs, name, "models");
  await publishedModel("follow-oracle", [ORACLE_IMAGES], models, options, deps);
  await publishedModel("follow-student", [], models, options, deps);
  const spec = parseContinuousSpec(text, { file, set: [...options.set] });
  const dataset = await openDataset({
    data: { dataset: "mnist", holdout: 0 },
    env: deps.env,
    ...(options.data === undefined ? {} : { directory: options.data }),
  });
  const stream = turningDigits(dataset, {
    ...{ seed: spec.seed, windows: WINDOWS, images: IMAGES, degrees: DEGREES },
    remembered: spec.anchor?.images ?? 0,
  });
  await using judges = await openJudges(models, spec, options, deps);
  const ending = new AbortController();
  const decisions: FollowEvent[] = [];
  const rows: Row[] = [];
  let traffic: Promise<void> | undefined;
  let learner: { readonly state: string } | undefined;
  const send = async (url: string): Promise<void> => {
    await untilReady(url, deps);
    for (let window = 0; window < WINDOWS && !ending.signal.aborted; window += 1) {
      const shown = stream.window(window);
      const answered = await sendWindow(shown, { url, model: spec.student.model, clock });
      await untilIdle(() => learner?.state, deps);
      rows.push({ window, answered, ...(await judges.judge(shown)) });
      terminal.write(lineOf(rows.at(-1) as Row));
    }
  };
  const code = await followSpec(
    text,
    file,
    { ...options, name, models, set: [STEPS, ...options.set], http: options.http ?? "127.0.0.1:0" },
    deps,
    {
      signal: ending.signal,
      onEvent: (event) => void decisions.push(event),
      onStarted: (started) => (learner = started),
      onServing(url) {
        traffic = send(url).finally(() => {
          ending.abort();
        });
      },
    },
  );
  await traffic;
  await report(join(options.runs, name), rows, decisions, deps);
  terminal.write(`what it decided: kn replay ${name}; why: kn replay ${name} --window 2`);
  return code;
}

/** Publishes the network of the demo's run of that name, which is trained by the first demo. */
async function publishedModel(
  name: string,
  set: readonly string[],
  models: string,
  options: RunCommandOptions,
  deps: ExecuteDeps,
): Promise<void> {
  const run = `demo-${name}`;
  if (!(await isComplete(options.runs, run))) {
    await rm(join(options.runs, run), { recursive: true, force: true }); // cut off before
    const code = await runSpecFile(example(name), { ...options, set: [...set], name: run, dryRun: false }, deps);
    if (code !== EXIT_OK) deps.terminal.exit(code);
  }
  await publishRun(run, { model: name, models, runs: options.runs, promote: true }, deps);
}

async function isComplete(runs: string, run: string): Promise<boolean> {
  const text = await readFile(join(runs, run, "results.json"), "utf8").catch(() => "{}");
  return (JSON.parse(text) as { readonly outcome?: unknown }).outcome === "completed";
}

interface Judges extends AsyncDisposable {
  /** Shares of the window's test images that the student of the beginning and the oracle have right. */
  judge(window: DriftWindow): Promise<{ readonly frozen: number; readonly oracle: number }>;
}

async function openJudges(
  folder: string,
  { student, oracle, training, seed }: ReturnType<typeof parseContinuousSpec>,
  { backend }: RunCommandOptions,
  deps: ExecuteDeps,
): Promise<Judges> {
  await using store = folderModels({ directory: folder }, deps);
  const worker = await createComputeWorker({ backend });
  const open = async (model: Model) => {
    const { live = 0 } = await model.live();
    const release = await model.release(live);
    const { network } = release.manifest;
    const lab = await openStudentLab(
      {
        ...{ name: model.name, network, seed, optimizer: training.optimizer, loss: { crossEntropy: 1 } },
        learningRate: { peak: training.optimizer.learningRate, schedule: "constant", warmup: 0 },
      },
      worker,
    );
    await lab.hold(1, await allWeights(release, model));
    return async ({ test }: DriftWindow): Promise<number> => {
      const { samples, labels } = test.batch(Array.from({ length: test.count }, (_, index) => index));
      const { logits } = await lab.answer(1, samples);
      const answers = classesOf(logits, network.classes);
      return answers.filter((answer, row) => answer === labels.values[row]).length / test.count;
    };
  };
  const frozen = await open(openModel(store, student.model, deps));
  const best = await open(openModel(store, oracle.model, deps));
  return {
    judge: async (window) => ({ frozen: await frozen(window), oracle: await best(window) }),
    [Symbol.asyncDispose]: () => worker.close(),
  };
}

async function untilReady(url: string, { clock }: ExecuteDeps): Promise<void> {
  const isReady = async (): Promise<boolean> => {
    const answer = await fetch(`${url}/v2/health/ready`).catch(() => undefined);
    return answer?.ok ?? false;
  };
  while (!(await isReady())) await clock.sleep(200);
}

async function untilIdle(state: () => string | undefined, { clock }: ExecuteDeps): Promise<void> {
  const deadlineMs = clock.now() + MAX_WAIT_MS;
  let idleSinceMs = clock.now();
  while (clock.now() < Math.min(deadlineMs, idleSinceMs + IDLE_MS)) {
    await clock.sleep(LOOK_MS);
    if (state() !== "following.waiting") idleSinceMs = clock.now();
  }
}

const turnOf = (window: number): string => `${((DEGREES * window) / (WINDOWS - 1)).toFixed(0)}°`;
const shareOf = ({ right, requests }: Answered): number => right / requests;

function lineOf({ window, answered, frozen, oracle }: Row): string {
  return (
    `the world has turned by ${turnOf(window)}: the frozen student has ${percentText(frozen)} right, ` +
    `the one that follows ${percentText(shareOf(answered))}, the oracle ${percentText(oracle)}`
  );
}

async function report(
  folder: string,
  rows: readonly Row[],
  decisions: readonly FollowEvent[],
  { terminal }: ExecuteDeps,
): Promise<void> {
  const sent = decisions.flatMap((event) =>
    event.kind === "promotion" || event.kind === "rollback" ? [event.bytes] : [],
  );
  const observed = decisions.reduce((sum, event) => sum + (event.kind === "window" ? event.observations : 0), 0);
  const requests = rows.reduce((sum, { answered }) => sum + answered.requests, 0);
  const failed = rows.reduce((sum, { answered }) => sum + answered.failed, 0);
  terminal.write(
    drawTable({
      head: ["window", "turned by", "frozen", "following", "oracle", "release"],
      rows: rows.map(({ window, answered, frozen, oracle }) => [
        String(window),
        turnOf(window),
        percentText(frozen),
        percentText(shareOf(answered)),
        percentText(oracle),
        String(answered.release),
      ]),
    }),
  );
  terminal.write(
    `${requests} inputs, ${failed} failed; ${observed} observed (${percentText(observed / Math.max(1, requests))}); ` +
      `${sent.length} updates, ${sent.reduce((sum, bytes) => sum + bytes, 0)} bytes`,
  );
  await mkdir(folder, { recursive: true });
  const chart = join(folder, "follow.svg");
  await writeFile(
    chart,
    drawLines(
      "Digits that turn: right answers",
      rows.map(({ window }) => turnOf(window)),
      [
        { name: "oracle", colour: "#888", values: rows.map(({ oracle }) => oracle) },
        { name: "following", colour: "#1a7f37", values: rows.map(({ answered }) => shareOf(answered)) },
        { name: "frozen", colour: "#c0392b", values: rows.map(({ frozen }) => frozen) },
      ],
    ),
  );
  terminal.write(`chart ${chart}`);
}
