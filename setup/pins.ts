/**
 * Every version that provisioning fetches, in one place. A change here makes new cache paths, so old checkouts keep
 * their versions.
 */

/** tfjs-node looks for this file name in its `deps/lib`; fixed by tfjs-node 4.22. */
export const TFJS_NODE_LIBRARY_VERSION = "2.9.1";

/** The npm package, as pinned in package.json; used if that file has no entry. */
export const TFJS_NODE_VERSION = "4.22.0";

/** A Python wheel that holds libtensorflow. The Python version is only a label: no Python code of it is run. */
export interface WheelPin {
  readonly distribution: string;
  readonly version: string;
  readonly pythonVersion: string;
  /** pip's platform tag. */
  readonly platform: string;
  readonly sha256: string;
  readonly wheelBytes: number;
  /** Size of the extracted files, about: the two libraries and the headers. */
  readonly unpackedBytes: number;
}

/** Keyed by `process.arch`. Linux with glibc only: elsewhere the package's own download is the only route. */
export const WHEELS: Readonly<Record<string, WheelPin>> = {
  x64: {
    distribution: "tensorflow-cpu",
    version: "2.21.0",
    pythonVersion: "3.12",
    platform: "manylinux_2_27_x86_64",
    sha256: "dcc8afd32930e42d5296b6ee19078b773706830af4ea97fbe503b9f5e0f820cb",
    wheelBytes: 274_000_871,
    unpackedBytes: 870_000_000,
  },
  arm64: {
    distribution: "tensorflow",
    version: "2.21.0",
    pythonVersion: "3.12",
    platform: "manylinux_2_27_aarch64",
    sha256: "b07d15737406533898e36c7ef7944b1be18e9028dc521b9229952c537bbc5552",
    wheelBytes: 281_946_471,
    unpackedBytes: 900_000_000,
  },
};

export type ToolName = "nats-server" | "nats" | "toxiproxy-server";

/** A command-line tool built from its Go module. */
export interface ToolPin {
  readonly name: ToolName;
  /** Display name. */
  readonly title: string;
  /** Environment variable that overrides the tool's path. */
  readonly variable: string;
  readonly packagePath: string;
  readonly version: string;
  /** Name of the program by `go install`. */
  readonly program: string;
  readonly versionFlag: string;
  /** Linker variable that carries the version, where the build information is not enough. */
  readonly versionSymbol?: string;
  /** Oldest version on PATH that will do; absent: any that answers. */
  readonly oldest?: string;
}

/** Go version required by the pinned modules. Go 1.21 or later downloads it by itself unless GOTOOLCHAIN=local. */
export const GO_VERSION = "1.25.0";

export const TOOLS: Readonly<Record<ToolName, ToolPin>> = {
  "nats-server": {
    name: "nats-server",
    title: "nats-server",
    variable: "KN_NATS_SERVER",
    packagePath: "github.com/nats-io/nats-server/v2",
    version: "2.12.15",
    program: "nats-server",
    versionFlag: "--version",
    oldest: "2.12.0", // older ones ignore stream fields that we rely on, without a word
  },
  nats: {
    name: "nats",
    title: "nats CLI",
    variable: "KN_NATS",
    packagePath: "github.com/nats-io/natscli/nats",
    version: "0.4.0", // 0.5 requires Go 1.26
    program: "nats",
    versionFlag: "--version",
  },
  "toxiproxy-server": {
    name: "toxiproxy-server",
    title: "toxiproxy",
    variable: "KN_TOXIPROXY_SERVER",
    packagePath: "github.com/Shopify/toxiproxy/v2/cmd/server",
    version: "2.12.0",
    program: "server",
    versionFlag: "-version",
    versionSymbol: "github.com/Shopify/toxiproxy/v2.Version",
  },
};

export const TOOL_NAMES = Object.keys(TOOLS) as readonly ToolName[];
