/** The one command that fixes each thing that can be missing on a machine. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Host } from "./host.ts";
import { PACKAGE_ROOT } from "./installed-package.ts";
import { GO_VERSION } from "./pins.ts";

export type Prerequisite = "pip" | "compiler" | "container runtime";

/** Package managers and how each installs, the likeliest first. */
const INSTALL = {
  "apt-get": "apt-get install -y",
  dnf: "dnf install -y",
  apk: "apk add",
  brew: "brew install",
} as const;

type PackageManager = keyof typeof INSTALL;

const PACKAGES: Readonly<Record<Prerequisite, Readonly<Record<PackageManager, string>>>> = {
  pip: { "apt-get": "python3-pip", dnf: "python3-pip", apk: "py3-pip", brew: "python" },
  compiler: {
    "apt-get": "build-essential python3",
    dnf: "gcc-c++ make python3",
    apk: "build-base python3",
    brew: "gcc",
  },
  "container runtime": { "apt-get": "podman", dnf: "podman", apk: "podman", brew: "podman" },
};

/** Go's names of what Node calls x64 and arm64. */
const GO_ARCH: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

export function remedyFor(host: Host, what: Prerequisite): string {
  const managers = Object.keys(INSTALL) as PackageManager[];
  const manager = managers.find((name) => isOnPath(host, name)) ?? "apt-get";
  const asRoot = host.isSuperuser || manager === "brew" ? "" : "sudo ";
  return `${asRoot}${INSTALL[manager]} ${PACKAGES[what][manager]}`;
}

/** Distributions' Go is often too old, so Go's own archive, into the home folder: no root needed. */
export function goRemedy(host: Host): string {
  if (isOnPath(host, "brew")) return "brew install go";
  const archive = `go${GO_VERSION}.${host.platform}-${GO_ARCH[host.arch] ?? host.arch}.tar.gz`;
  return `mkdir -p ~/.local && curl -fsSL https://go.dev/dl/${archive} | tar -xz -C ~/.local && export PATH="$HOME/.local/go/bin:$PATH"`;
}

/**
 * The command that runs setup for this kind of installation: a checkout has the script `setup`; a project that depends
 * on the package has `npx kn`; a global installation has `kn` on PATH, and `npx kn` would fetch an unrelated package.
 */
export function setupCommand(root: string = PACKAGE_ROOT): string {
  const [project, ...rest] = root.split(/[\\/]node_modules[\\/]/);
  if (project === undefined || rest.length === 0) return "npm run setup";
  return existsSync(join(project, "package.json")) ? "npx kn setup" : "kn setup";
}

export function isOnPath(host: Pick<Host, "env">, program: string): boolean {
  return (host.env.PATH ?? "").split(delimiter).some((folder) => folder !== "" && existsSync(join(folder, program)));
}
