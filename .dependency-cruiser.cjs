/**
 * The layers' arrows, and one door per vendor:
 *
 *   errors <- messages <- runtime <- actors <- jobs <- fleet <- apps      run-spec, data, compute, models, continuous, client beside
 *
 * setup/ (provisioning) knows src/errors only; tools/ (bench, reproduce, faults) knows everything and nobody knows it.
 */
const only = (name, folder, allowed) => ({
  name,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: { path: "^(src|setup|tools)/", pathNot: `^src/(${[folder, ...allowed].join("|")})/` },
});
const door = (vendor, folders) => ({
  name: `one-door-for-${vendor.replace(/[^a-z]/g, "")}`,
  severity: "error",
  from: { path: "^src/", pathNot: `^src/(${folders.join("|")})/` },
  to: { path: `^node_modules/${vendor}/` },
});
const BELOW_ACTORS = ["errors", "run-spec", "messages", "runtime", "compute", "data", "models", "continuous"];
const BELOW_JOBS = [...BELOW_ACTORS, "actors"];

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-folder-cycles", severity: "error", scope: "folder", from: {}, to: { circular: true } },
    only("errors-know-nobody", "errors", []),
    only("run-spec-is-pure", "run-spec", ["errors"]),
    only("messages-know-errors", "messages", ["errors"]),
    only("client-knows-errors-and-messages", "client", ["errors", "messages"]),
    only("runtime-knows-messages", "runtime", ["errors", "messages"]),
    only("compute-knows-run-spec", "compute", ["errors", "run-spec"]),
    only("data-knows-messages", "data", ["errors", "messages"]),
    only("models-know-runtime-and-run-spec", "models", ["errors", "run-spec", "messages", "runtime"]),
    only("continuous-knows-run-spec-and-data", "continuous", ["errors", "run-spec", "data"]),
    only("actors-know-what-is-below", "actors", BELOW_ACTORS),
    only("jobs-know-actors", "jobs", BELOW_JOBS),
    only("fleet-knows-jobs", "fleet", [...BELOW_JOBS, "jobs"]),
    {
      name: "the-client-is-entered-from-apps",
      severity: "error",
      from: { path: "^(src|setup)/", pathNot: "^src/(client|apps)/" },
      to: { path: "^src/client/" },
    },
    {
      name: "the-product-knows-no-tools",
      severity: "error",
      from: { path: "^(src|setup)/" },
      to: { path: "^tools/" },
    },
    {
      name: "setup-is-entered-from-apps",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/apps/" },
      to: { path: "^setup/" },
    },
    {
      name: "setup-knows-errors-only",
      severity: "error",
      from: { path: "^setup/" },
      to: { path: "^src/", pathNot: "^src/errors/" },
    },
    {
      name: "kinds-meet-on-the-bus",
      severity: "error",
      from: { path: "^src/actors/([^/]+)/" },
      to: { path: "^src/actors/", pathNot: "^src/actors/($1|link)/" },
    },
    {
      name: "job-kinds-do-not-meet",
      severity: "error",
      from: { path: "^src/jobs/kinds/([^/]+)/" },
      to: { path: "^src/jobs/kinds/", pathNot: "^src/jobs/kinds/$1/" },
    },
    {
      name: "pure-layers-do-no-io",
      severity: "error",
      from: { path: "^src/(run-spec|actors|messages|data|models|continuous)/" },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?crypto$" },
    },
    {
      name: "compute-does-no-io-but-its-worker",
      severity: "error",
      from: { path: "^src/compute/", pathNot: "^src/compute/(worker|backend)/" },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?crypto$" },
    },
    {
      name: "compute-nn-is-below-block-and-distillation",
      severity: "error",
      from: { path: "^src/compute/nn/" },
      to: { path: "^src/compute/(block|distillation|worker)/" },
    },
    {
      name: "compute-block-is-below-distillation",
      severity: "error",
      from: { path: "^src/compute/block/" },
      to: { path: "^src/compute/(distillation|worker)/" },
    },
    door("nats", ["runtime/nats"]),
    door("@tensorflow", ["compute"]),
    door("protobufjs", ["messages"]),
    door("xstate", ["actors", "runtime/actor", "fleet"]),
    door("(commander|cli-progress|cli-table3|pino|prom-client)", ["apps"]),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
      extensions: [".ts", ".js"],
    },
  },
};
