import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { KnowledgeNetError } from "../../../src/errors/index.ts";
import {
  isContinuousSpec,
  parseContinuousSpec,
  parseSpec,
  parseTrainingSpec,
  type TrainingSpec,
} from "../../../src/run-spec/index.ts";

const MINIMAL = `kind: training
name: tiny
data:
  dataset: mnist
model:
  input: [28, 28, 1]
  classes: 10
  layers:
    - { name: flat, type: flatten }
    - { name: hidden, type: dense, units: 20 }
    - { name: logits, type: dense, units: 10 }
  cuts: [hidden]
`;

function parse(text: string, ...set: string[]): TrainingSpec {
  return parseTrainingSpec(text, { file: "run.yaml", set });
}

/** The error that `parse` throws. */
function refusalOf(text: string, ...set: string[]): KnowledgeNetError {
  let spec: TrainingSpec;
  try {
    spec = parse(text, ...set);
  } catch (error) {
    if (error instanceof KnowledgeNetError) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(spec)}`);
}

/** `MINIMAL` with one piece replaced; the piece must be there. */
function changed(piece: string, by: string): string {
  if (!MINIMAL.includes(piece)) throw new RangeError(`no ${piece}`);
  return MINIMAL.replace(piece, by);
}

describe("parseSpec", () => {
  it("fills in the defaults of the recipes", () => {
    expect(parse(MINIMAL)).toMatchObject({
      seed: 1,
      training: {
        epochs: 1,
        batchSize: 128,
        optimizer: { kind: "adam", learningRate: 1e-3 },
        schedule: "cosine",
        warmup: 0,
      },
      gradients: {
        source: "synthetic",
        gradientModel: { hidden: 256, optimizer: { kind: "adam", learningRate: 1e-3 }, learnEvery: 1 },
        boundaries: {},
        retain: 16,
      },
      codecs: { activation: "int8-channel", gradient: "bf16" },
      evaluation: { samples: 2000, batchSize: 500 },
      flow: { window: 4, maxFrameMiB: 64 },
    });
  });

  it("an override without a value takes the key out", () => {
    expect(parse(`${MINIMAL}flow: { window: 9 }\n`)).toMatchObject({ flow: { window: 9 } });
    expect(parse(`${MINIMAL}flow: { window: 9 }\n`, "flow=")).toMatchObject({ flow: { window: 4 } });
    expect(parse(MINIMAL, "flow=")).toMatchObject({ flow: { window: 4 } });
  });

  it.each<[string, readonly number[] | undefined]>([
    ["0", [0, 0]],
    ["12", [-12, 12]],
    ["[0, 90]", [0, 90]],
    ["[90, 0]", undefined],
    ["-12", undefined],
    ["[-200, 0]", undefined],
  ])("turns views by so many degrees to either side, or between two angles: %s", (value, rotate) => {
    const set = `data.augmentation={ rotate: ${value} }`;
    if (rotate === undefined) expect(refusalOf(MINIMAL, set).message).toContain("rotate");
    else expect(parse(MINIMAL, set).data.augmentation?.rotate).toEqual(rotate);
  });

  it("takes what it gave out: a spec written as JSON parses to itself", () => {
    const spec = parse(MINIMAL, "gradients.boundaries.hidden.source=locked");
    expect(parse(JSON.stringify(spec))).toEqual(spec);
  });

  it.each([
    ["text that is not YAML", changed("[28, 28, 1]", "[28, 28, 1"), /run\.yaml:\d+:\d+/, /must be YAML/],
    ["a key twice", `${MINIMAL}name: again\n`, /run\.yaml:13:1\b/, /must be YAML.*unique/],
    ["a missing kind", changed("kind: training\n", ""), /run\.yaml:1:1/, /kind: /],
    ["an unknown kind", changed("kind: training", "kind: serving"), /run\.yaml:1:1/, /"training".*"serving"/],
    ["a missing key", changed("name: tiny\n", ""), /run\.yaml:1:1/, /name: .*absent/],
    ["a missing key in a list", changed(", units: 20", ""), /run\.yaml:10:7/, /model\.layers\.1\.units: .*absent/],
    ["a value of another type", changed("classes: 10", "classes: ten"), /run\.yaml:7:3/, /model\.classes: .*"ten"/],
    ["a value out of range", changed("classes: 10", "classes: 1"), /run\.yaml:7:3/, /model\.classes: .*value is 1/],
    ["a name with a dot", changed("name: tiny", "name: ti.ny"), /run\.yaml:2:1/, /letters, digits.*"ti\.ny"/],
    ["an unknown data set", changed("dataset: mnist", "dataset: svhn"), /run\.yaml:4:3/, /"mnist".*"svhn"/],
    [
      "an unknown layer type",
      changed("type: flatten", "type: flaten"),
      /run\.yaml:9:21/,
      /model\.layers\.0\.type: .*"flaten"/,
    ],
    ["a layer name twice", changed("name: logits", "name: hidden"), /run\.yaml:11:9/, /must be unique.*"hidden"/],
    [
      "a cut that names no layer",
      changed("[hidden]", "[hiden]"),
      /run\.yaml:12:10/,
      /must name a layer \(flat, hidden, logits\).*"hiden"/,
    ],
    ["cuts out of order", changed("[hidden]", "[hidden, flat]"), /run\.yaml:12:18/, /order of the layers.*"flat"/],
    ["a cut twice", changed("[hidden]", "[hidden, hidden]"), /run\.yaml:12:18/, /order of the layers/],
    ["a cut after the last layer", changed("[hidden]", "[logits]"), /run\.yaml:12:10/, /nothing would be left/],
    [
      "an exception for a boundary that is none",
      `${MINIMAL}gradients:\n  boundaries:\n    flat: { source: locked }\n`,
      /run\.yaml:15:5/,
      /must name a cut \(hidden\)/,
    ],
    ["an empty file", "", /run\.yaml:1:1/, /Cannot read the run spec run\.yaml/],
    ["a list", "- kind: training\n", /run\.yaml:1:1/, /Cannot read the run spec run\.yaml/],
  ])("refuses %s with KN_CONFIG at its line and column", (_, text, place, message) => {
    const error = refusalOf(text);
    expect(error.code).toBe("KN_CONFIG");
    expect(error.message).toMatch(place);
    expect(error.message).toMatch(message);
  });

  it.each([
    ["at the top", `${MINIMAL}trainin: { epochs: 2 }\n`, "13:1", "trainin", "training"],
    ["in a section", `${MINIMAL}training:\n  epoch: 2\n`, "14:3", "epoch", "epochs"],
    ["in a layer of its own type", changed("units: 20", "unit: 20"), "10:36", "unit", "units"],
    [
      "in an optimiser of its own kind",
      `${MINIMAL}training:\n  optimizer: { kind: sgd, momentun: 0.5 }\n`,
      "14:27",
      "momentun",
      "momentum",
    ],
    [
      "in a boundary",
      `${MINIMAL}gradients:\n  boundaries:\n    hidden: { sorce: locked }\n`,
      "15:15",
      "sorce",
      "source",
    ],
    [
      "in a boundary's gradient model",
      `${MINIMAL}gradients:\n  boundaries:\n    hidden: { gradientModel: { hiden: 3 } }\n`,
      "15:32",
      "hiden",
      "hidden",
    ],
  ])("names the nearest known key to a misspelt one %s", (_, text, place, key, nearest) => {
    const error = refusalOf(text);
    expect(error.message).toContain(`run.yaml:${place}`);
    expect(error).toMatchObject({ code: "KN_CONFIG", value: key, remedy: `did you mean '${nearest}'?` });
  });

  it("lists the known keys when none is near", () => {
    expect(refusalOf(`${MINIMAL}flow:\n  backpressure: 3\n`).remedy).toBe("known keys: window, maxFrameMiB, overload");
  });

  it("--set overrides scalars, lists and maps, makes sections, and reaches into lists", () => {
    const spec = parse(
      MINIMAL,
      "training.epochs=3",
      "training.optimizer={ kind: sgd, learningRate: 0.2 }",
      "model.cuts=[]",
      "model.layers.1.units=7",
      "name=other",
    );
    expect(spec).toMatchObject({
      name: "other",
      training: { epochs: 3, optimizer: { kind: "sgd", learningRate: 0.2 } },
    });
    expect(spec.model.cuts).toEqual([]);
    expect(spec.model.layers[1]).toMatchObject({ units: 7 });
  });

  it("--set takes the last of two, and may hold an equals sign in its value", () => {
    expect(parse(MINIMAL, "seed=3", "seed=4").seed).toBe(4);
    expect(refusalOf(MINIMAL, "name=a=b").message).toContain('"a=b"');
  });

  it.each(["training", "=3", "training..epochs=3", ".x=1"])(
    "refuses --set %s with KN_CONFIG and an example",
    (assignment) => {
      expect(refusalOf(MINIMAL, assignment)).toMatchObject({ code: "KN_CONFIG", value: assignment });
      expect(refusalOf(MINIMAL, assignment).message).toContain("--set training.epochs=3");
    },
  );

  it("refuses --set through a scalar, of an unknown key, of a wrong value and of text that is not YAML", () => {
    expect(refusalOf(MINIMAL, "name.x=1").message).toMatch(/apply --set name\.x=1.*maps and lists/);
    expect(refusalOf(MINIMAL, "training.epoch=3").remedy).toBe("did you mean 'epochs'?");
    expect(refusalOf(MINIMAL, "training.epochs=0").message).toMatch(/training\.epochs: /);
  });

  it.each(['name="abc', "model.cuts=[r1", "seed=*n", "training={ epochs: 3"])(
    "refuses --set %s, whose value is no whole YAML value",
    (assignment) => {
      const refusal = refusalOf(MINIMAL, assignment);
      expect(refusal).toMatchObject({ code: "KN_CONFIG", attempt: `apply --set ${assignment}` });
      expect(refusal.rule).toBe("its value must be YAML");
    },
  );

  it("names line and column of an alias without an anchor, and reads one that has it", () => {
    const refusal = refusalOf(`${MINIMAL}seed: *n\n`);
    expect(refusal).toMatchObject({ code: "KN_CONFIG", value: "*n" });
    expect(refusal.rule).toMatch(new RegExp(`run\\.yaml:${MINIMAL.split("\n").length}:7`));
    expect(parse(`${MINIMAL}flow: { window: &n 3 }\nseed: *n\n`).seed).toBe(3);
  });
});

describe("parseSpec, what does not go together", () => {
  it.each([
    ["flow.overload", ["flow.overload=drop", "gradients.source=locked"], "`drop` needs sources that do not wait"],
    ["flow.overload", ["flow.overload=drop", "gradients.boundaries.hidden.source=locked"], "`drop` needs sources"],
    ["placement.block-7", ["placement.block-7=edge-1"], "must name an actor (feeder, coordinator, block-0, block-1"],
    ["placement.block-0", ["placement.block-0=two words"], "must be a node or label=value"],
    ["gradients.auto", ["gradients.auto.enterCosine=0.1"], "leaveCosine must be below enterCosine"],
    ["gradients.mixed.trueShare", ["gradients.mixed.trueShare=2"], "gradients.mixed.trueShare"],
  ])("refuses %s: %j", (path, set, words) => {
    const { code, message } = refusalOf(MINIMAL, ...set);
    expect(code).toBe("KN_CONFIG");
    expect(message).toContain(path);
    expect(message).toContain(words);
  });

  it("takes a node or a label for any actor, and a moving share", () => {
    const spec = parse(
      MINIMAL,
      "placement.block-0=edge-1",
      "placement.gradient-0=tier=cloud",
      "gradients.mixed.trueShare={ from: 0, to: 1 }",
    );
    expect(spec.placement).toEqual({ "block-0": "edge-1", "gradient-0": "tier=cloud" });
    expect(spec.gradients.mixed.trueShare).toEqual({ from: 0, to: 1 });
  });
});

describe("parseContinuousSpec", () => {
  const TEXT = "kind: continuous\nname: follow\noracle: { model: big }\nstudent: { model: small }\n";

  it("fills in defaults that fit together", () => {
    const spec = parseContinuousSpec(TEXT, { file: "follow.yaml" });
    expect(spec.window.observations % spec.window.roundObservations).toBe(0);
    expect(spec).toMatchObject({ seed: 1, evidence: "edge", update: { codec: "int8", maxBytes: 160_000 } });
    expect(spec.anchor).toBeUndefined();
  });

  it.each([
    ["window: { observations: 25, roundObservations: 10 }", /window\.roundObservations.*must divide/],
    ["update: { fraction: 0 }", /update\.fraction/],
    ["training: { replay: 100 }", /training\.replay/],
    ["seed: 1\noracle: { model: small }", /student\.model.*another model than oracle\.model/],
    ["training: { sections: { steps: 0 } }", /training\.sections\.steps/],
    ["training: { sections: {} }\noracle: { model: big, mode: whole }", /training\.sections.*oracle\.mode blocks/],
    ["gate: { alpa: 0.01 }", /a key must be known here.*alpa.*alpha/s],
  ])("refuses %s", (line, message) => {
    const text = line.includes("oracle:") ? TEXT.replace(/oracle:.*\n/, "") : TEXT;
    expect(() => parseContinuousSpec(`${text}${line}\n`, { file: "follow.yaml" })).toThrow(message);
  });

  it("is told by its kind, also of a text that is refused", () => {
    expect(isContinuousSpec(`${TEXT}strange: 1\n`)).toBe(true);
    expect(isContinuousSpec("kind: training # not continuous\n")).toBe(false);
  });
});

describe("examples", () => {
  const folder = fileURLToPath(new URL("../../../examples/", import.meta.url));
  const files = readdirSync(folder).filter((file) => file.endsWith(".yaml"));

  it("are there", () => {
    expect(files.length).toBeGreaterThan(0);
  });

  it.each(files)("%s parses, and is named after its file", (file) => {
    const text = readFileSync(`${folder}${file}`, "utf8");
    const spec = isContinuousSpec(text) ? parseContinuousSpec(text, { file }) : parseSpec(text, { file });
    expect(`${spec.name}.yaml`).toBe(file);
  });
});
