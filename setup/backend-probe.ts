/**
 * Proves a tensor backend by using it, in a child process: a broken native library ends the process that loads it, and
 * tfjs may be imported in `src/compute` only. It runs a matrix product and, where the backend can, a convolution's
 * gradients, and compares the numbers.
 */
import { failureLine, succeeded } from "./exec.ts";
import type { Host } from "./host.ts";
import { installedVersion } from "./installed-package.ts";

export type BackendName = "native" | "wasm" | "cpu";

export const BACKEND_PACKAGES: Readonly<Record<BackendName, string>> = {
  native: "@tensorflow/tfjs-node",
  wasm: "@tensorflow/tfjs-backend-wasm",
  cpu: "@tensorflow/tfjs",
};

export interface BackendProbe {
  readonly state: "present" | "degraded" | "absent";
  /** Of the npm package. */
  readonly packageVersion: string | undefined;
  /** Of libtensorflow; native only. */
  readonly libraryVersion: string | undefined;
  /** Reason of a failure; absent on success. */
  readonly reason: string | undefined;
}

/** Loading 850 MB of libraries from a cold disk takes most of it. */
const PROBE_TIMEOUT_MS = 120_000;

/**
 * x = ones [1,3,3,1], w = ones [2,2,1,1]: y [1,2,2,1], dy = 1; each filter tap sees 4 ones, the inputs' taps sum to 16.
 */
const PROBE = `
const util = require("node:util");
util.isNullOrUndefined ??= (value) => value === null || value === undefined; // gone from Node 23, tfjs-node uses it
const [name] = process.argv.slice(1);
(async () => {
  const tf = require(name === "native" ? "@tensorflow/tfjs-node" : "@tensorflow/tfjs");
  if (name === "wasm") {
    const wasm = require("@tensorflow/tfjs-backend-wasm");
    wasm.setWasmPaths(require("node:path").dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json")) + "/dist/");
  }
  await tf.setBackend(name === "native" ? "tensorflow" : name);
  await tf.ready();
  const product = Array.from(await tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])).data());
  let gradients = [4, 16];
  if (name !== "wasm") { // it lacks Conv2DBackpropFilter; src/compute brings its own
    const [dx, dw] = tf.grads((x, w) => tf.conv2d(x, w, 1, "valid").sum())([tf.ones([1, 3, 3, 1]), tf.ones([2, 2, 1, 1])]);
    gradients = [dw.dataSync()[0], dx.sum().dataSync()[0]];
  }
  if (String(product) !== "2,2,2,2" || String(gradients) !== "4,16") throw new Error("wrong numbers: " + product + "; " + gradients);
  process.stdout.write("PROBE " + JSON.stringify({ library: tf.backend().binding?.TF_Version ?? null }) + "\\n");
})().catch((error) => { console.error(String(error.message).split("\\n")[0]); process.exitCode = 1; });
`;

/** Never throws: the result has the reason of a failure. */
export async function probeBackend(name: BackendName, root: string, host: Host): Promise<BackendProbe> {
  const packageVersion = installedVersion(root, BACKEND_PACKAGES[name]);
  const none = { packageVersion, libraryVersion: undefined };
  if (packageVersion === undefined) {
    return { ...none, state: "absent", reason: `${BACKEND_PACKAGES[name]} is not installed` };
  }
  const result = await host.exec(host.node.executable, ["-e", PROBE, name], {
    cwd: root,
    env: { ...host.env, TF_CPP_MIN_LOG_LEVEL: "3" },
    timeoutMs: PROBE_TIMEOUT_MS,
  });
  const answer = /^PROBE (.*)$/m.exec(result.stdout)?.[1];
  if (!succeeded(result) || answer === undefined) return { ...none, state: "degraded", reason: failureLine(result) };
  const { library } = JSON.parse(answer) as { readonly library: string | null };
  return { packageVersion, libraryVersion: library ?? undefined, state: "present", reason: undefined };
}
