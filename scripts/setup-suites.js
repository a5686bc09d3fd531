/**
 * What the container and cluster suites need beside `npm run setup`: system packages (`--system`), and programs built
 * from Go modules into the user's cache (`--suites`). Nothing of it is needed to use KnowledgeNet.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { root } from "./ensure-built.js";

const TOOLS = join(root, "test", "tools");
const KUBERNETES = "v1.33.13";
const KUBECONFORM = "github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0";

/** Programs of each suite, and the Debian package that brings each; a path where the program is not on PATH. */
const PROGRAMS = {
  conformance: { python3: "python3-venv" },
  containers: { podman: "podman", runc: "runc", iptables: "iptables", mmdebstrap: "mmdebstrap", strip: "binutils" },
  k8s: {
    containerd: "containerd",
    openssl: "openssl",
    unshare: "util-linux",
    nsenter: "util-linux",
    gcc: "gcc",
    "/bin/busybox": "busybox-static",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
  },
};
/** Packages without a program of their own. */
const BESIDE = ["netavark", "aardvark-dns", "libc6-dev"];

/** @returns {string[]} programs of the suite that this machine lacks */
export function missingPrograms(suite) {
  if (suite === "k8s" && hasOwnCluster()) return ["kubectl"].filter((program) => !has(program));
  // Debian has venv apart from python3.
  if (suite === "conformance") return canMakeVenv() ? [] : ["python3"];
  // Docker runs containers by itself, where its engine answers.
  const containers = hasDockerEngine() ? [] : Object.keys(PROGRAMS.containers);
  const cluster = suite === "k8s" ? Object.keys(PROGRAMS.k8s) : [];
  return [...containers, ...cluster].filter((program) => !has(program));
}

function canMakeVenv() {
  return spawnSync("python3", ["-c", "import venv, ensurepip"], { stdio: "ignore" }).status === 0;
}

function hasDockerEngine() {
  return has("docker") && spawnSync("docker", ["info"], { stdio: "ignore" }).status === 0;
}

/** @returns {boolean} whether a cluster is named that the k8s suite may use instead of one of its own */
export function hasOwnCluster() {
  return process.env.KN_TEST_CLUSTER === "1" && process.env.KUBECONFIG !== undefined;
}

/** Where the cluster's programs lie: a folder per content of what they are built from. */
export function clusterFolder(cache) {
  const hash = createHash("sha256").update(KUBERNETES).update(KUBECONFORM).update(process.arch);
  const sources = [
    "kube/main.go",
    "kube/go.mod",
    "coredns/main.go",
    "coredns/go.mod",
    "local-path/go.mod",
    "schemas.py",
  ];
  for (const name of sources) hash.update(readFileSync(join(TOOLS, name)));
  return join(cache, "suites", `cluster-${KUBERNETES}-${hash.digest("hex").slice(0, 8)}`);
}

/** Lists and installs Debian packages. @returns {boolean} whether all are installed */
export function installSystemPackages() {
  const packageOf = { ...PROGRAMS.conformance, ...PROGRAMS.containers, ...PROGRAMS.k8s };
  // kubectl for a cluster of the user's is no package of ours.
  const lacking = [...new Set(["conformance", "containers", "k8s"].flatMap(missingPrograms))].filter(
    (program) => program in packageOf,
  );
  if (lacking.length === 0) {
    console.log("knowledgenet setup: the suites' system packages are installed");
    return true;
  }
  const packages = [...new Set([...lacking.map((program) => packageOf[program]), ...BESIDE])].sort();
  if (!has("apt-get")) {
    console.log(`knowledgenet setup: install by your system's means: ${packages.join(" ")}`);
    return false;
  }
  const install = ["apt-get", "install", "-y", "--no-install-recommends", ...packages];
  const sudo = process.getuid?.() === 0 ? [] : ["sudo"];
  console.log(`knowledgenet setup: ${[...sudo, ...install].join(" ")}`);
  run([...sudo, "apt-get", "update", "-q"]);
  return run([...sudo, ...install]);
}

/** Builds the programs that are not in the cache. @returns {boolean} whether all are present */
export function buildSuiteTools(cache) {
  const final = clusterFolder(cache);
  if (existsSync(final)) {
    console.log("knowledgenet setup: the cluster's programs are present");
    return true;
  }
  const lacking = missingPrograms("k8s");
  if (lacking.length > 0) {
    console.log(`knowledgenet setup: ${lacking.join(", ")} missing: npm run setup -- --system`);
    return false;
  }
  const startedMs = Date.now();
  const folder = join(cache, "suites");
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    // Of a build that was interrupted.
    if (name.startsWith("building-")) rmSync(join(folder, name), { recursive: true, force: true });
  }
  const out = mkdtempSync(join(cache, "suites", "building-"));
  try {
    buildCluster(out);
    renameSync(out, final);
    console.log(`knowledgenet setup: the cluster's programs built in ${Math.round((Date.now() - startedMs) / 1000)} s`);
    return true;
  } catch (error) {
    console.log(`knowledgenet setup: ${error.message}`);
    return false;
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

function buildCluster(out) {
  // Of its own and gone afterwards: some gigabytes.
  const buildCache = join(out, "go-build");
  const env = {
    ...process.env,
    CGO_ENABLED: "0",
    GOFLAGS: "-buildvcs=false",
    GOCACHE: buildCache,
    GOOS: "",
    GOARCH: "",
    GOGC: "400", // the compiler's own memory: less collecting, more speed
  };
  // Not optimised, and nothing for a debugger: that is built sooner, and a test cluster has time. The same for all of
  // them: packages that two have in common are compiled once.
  const quick = ["-trimpath", "-gcflags=all=-N -l -dwarf=false"];
  const go = (cwd, ...args) => {
    must(["go", ...args], { cwd: join(TOOLS, cwd), env });
  };
  const version = "k8s.io/component-base/version";
  const [major, minor] = KUBERNETES.slice(1).split(".");
  const flags = `-s -w -X ${version}.gitVersion=${KUBERNETES} -X ${version}.gitMajor=${major} -X ${version}.gitMinor=${minor}`;
  console.log(
    "knowledgenet setup: building Kubernetes, CoreDNS and their like from Go modules; some ten minutes on two cores",
  );
  go("kube", "build", ...quick, `-ldflags=${flags}`, "-o", join(out, "kube"), ".");
  go("coredns", "build", ...quick, "-ldflags=-s -w", "-o", join(out, "coredns"), ".");
  const provisioner = "github.com/rancher/local-path-provisioner";
  go("local-path", "build", ...quick, "-ldflags=-s -w", "-o", join(out, "local-path-provisioner"), provisioner);
  must(["go", "install", ...quick, KUBECONFORM], { env: { ...env, GOBIN: out } });
  const module = must(["go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"], {
    cwd: join(TOOLS, "kube"),
    env,
  }).trim();
  must([
    "gcc",
    "-Os",
    "-static",
    "-s",
    "-DVERSION=suite",
    "-o",
    join(out, "pause"),
    join(module, "build/pause/linux/pause.c"),
  ]);
  must(["python3", join(TOOLS, "schemas.py"), join(module, "api/openapi-spec/swagger.json"), join(out, "schemas")]);
  copyFileSync("/bin/busybox", join(out, "busybox"));
  writeImage(out, "pause", "registry.k8s.io/pause:3.10", "/pause");
  writeImage(out, "coredns", "docker.io/library/coredns:suite", "/coredns");
  writeImage(out, "busybox", "docker.io/library/busybox:suite", "/bin/sh");
  rmSync(buildCache, { recursive: true, force: true });
}

/** An image with one program, as an archive that containerd imports. */
function writeImage(out, program, tag, path) {
  const engine = hasDockerEngine() ? "docker" : "podman";
  const context = mkdtempSync(join(out, "image-"));
  copyFileSync(join(out, program), join(context, program));
  writeFileSync(join(context, "Containerfile"), `FROM scratch\nCOPY ${program} ${path}\nENTRYPOINT ["${path}"]\n`);
  must([engine, "build", "-t", tag, "-f", join(context, "Containerfile"), context]);
  must([engine, "save", "-o", join(out, `${program}.tar`), tag]);
  must([engine, "rmi", tag]);
  rmSync(context, { recursive: true });
}

function has(program) {
  if (program.startsWith("/")) return existsSync(program);
  return [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function run([program, ...args]) {
  return spawnSync(program, args, { stdio: "inherit" }).status === 0;
}

function must([program, ...args], options = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1e9, ...options });
  if (status === 0) return stdout;
  throw new Error(
    `${program} ${args.slice(0, 3).join(" ")}: ${error?.message ?? stderr.trim().split("\n").slice(-3).join(" | ")}`,
  );
}
