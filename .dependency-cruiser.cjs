/**
 * The arrows of the layers, and one door per vendor:
 *
 *   errors <- messages <- runtime <- actors <- apps          errors <- spec <- compute <- actors          messages <- data
 */
const only = (name, folder, allowed) => ({
  name,
  severity: "error",
  from: { path: `^src/${folder}/` },
  to: { path: "^src/", pathNot: `^src/(${[folder, ...allowed].join("|")})/` },
});
const door = (vendor, folders) => ({
  name: `one-door-for-${vendor.replace(/[^a-z]/g, "")}`,
  severity: "error",
  from: { path: "^src/", pathNot: `^src/(${folders.join("|")})/` },
  to: { path: `^node_modules/${vendor}/` },
});

module.exports = {
  forbidden: [
    { name: "no-circles", severity: "error", from: {}, to: { circular: true } },
    only("errors-know-nobody", "errors", []),
    only("spec-is-pure", "spec", ["errors"]),
    only("messages-know-errors", "messages", ["errors"]),
    only("runtime-knows-messages", "runtime", ["errors", "messages"]),
    only("compute-knows-spec", "compute", ["errors", "spec"]),
    only("data-knows-messages", "data", ["errors", "messages"]),
    only("actors-know-all-but-apps", "actors", ["errors", "spec", "messages", "runtime", "compute", "data"]),
    {
      name: "kinds-meet-on-the-bus",
      severity: "error",
      from: { path: "^src/actors/([^/]+)/" },
      to: { path: "^src/actors/", pathNot: "^src/actors/($1|link)/" },
    },
    {
      name: "compute-and-spec-do-no-io",
      severity: "error",
      from: { path: "^src/(spec|actors|messages|data)/" },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?crypto$" },
    },
    door("nats", ["runtime/nats"]),
    door("@tensorflow", ["compute"]),
    door("protobufjs", ["messages"]),
    door("xstate", ["actors", "runtime/actor"]),
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
