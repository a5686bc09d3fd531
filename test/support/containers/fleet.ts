/** A fleet in containers: NATS with JetStream and nodes on one network, as they run in production, and ways to break it. */
import { randomUUID } from "node:crypto";
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from "testcontainers";
import { inject } from "vitest";
import { type ConnectedFleet, connectFleet } from "../../../src/apps/connect/connect-fleet.ts";
import { silentLogger } from "../../../src/runtime/telemetry/index.ts";
import { waitFor } from "../wait-for.ts";
import { SUITE_LABEL } from "./engine.ts";

export const NATS_PORT = 4222;
export const HTTP_PORT = 8080;
const START_MS = 120_000;

/** Nothing can be written but what is mounted. */
class ReadOnlyContainer extends GenericContainer {
  constructor(image: string) {
    super(image);
    this.hostConfig.ReadonlyRootfs = true;
    this.hostConfig.CapDrop = ["ALL"];
    this.hostConfig.SecurityOpt = ["no-new-privileges"];
  }
}

export interface Network extends AsyncDisposable {
  readonly name: string;
  connect(container: StartedTestContainer): Promise<void>;
  /** Cuts the container off. */
  disconnect(container: StartedTestContainer): Promise<void>;
}

export async function createNetwork(): Promise<Network> {
  const client = await getContainerRuntimeClient();
  const name = `kn-${randomUUID().slice(0, 8)}`;
  await client.container.dockerode.createNetwork({ Name: name, Labels: labels() });
  const network = client.container.dockerode.getNetwork(name);
  return {
    name,
    async connect(container) {
      await network.connect({ Container: container.getId() });
    },
    async disconnect(container) {
      await network.disconnect({ Container: container.getId(), Force: true });
    },
    async [Symbol.asyncDispose]() {
      await network.remove();
    },
  };
}

/** @param config of nats-server; its port 4222 is published. */
export async function startNats(network: Network, config: string, alias = "nats"): Promise<StartedTestContainer> {
  return await new GenericContainer(inject("images").nats)
    .withLabels(labels())
    .withName(`${alias}-${network.name}`)
    .withNetworkMode(network.name)
    .withExposedPorts(NATS_PORT)
    .withCopyContentToContainer([{ content: config, target: "/etc/nats/nats.conf", mode: 0o644 }])
    .withCommand(["-c", "/etc/nats/nats.conf"])
    .withWaitStrategy(Wait.forLogMessage("Server is ready"))
    .withStartupTimeout(START_MS)
    .start();
}

export interface NodeOptions {
  readonly name: string;
  readonly image: "native" | "wasm";
  /** Host of its server on the network. */
  readonly server: string;
}

export async function startNode(network: Network, { name, image, server }: NodeOptions): Promise<StartedTestContainer> {
  const config = `name: ${name}\nbus: {servers: ["nats://${server}:${NATS_PORT}"]}\nstate: /var/lib/knowledgenet\nhttp: 0.0.0.0:${HTTP_PORT}\n`;
  return await knContainer(network, { name, image })
    .withCopyContentToContainer([{ content: config, target: "/etc/knowledgenet/node.yaml", mode: 0o644 }])
    .withCommand(["node", "--config", "/etc/knowledgenet/node.yaml"])
    .withWaitStrategy(Wait.forHttp("/readyz", HTTP_PORT).forStatusCode(200))
    .start();
}

export interface KnOptions extends Omit<NodeOptions, "server"> {
  readonly args: string[];
  /** Content by path. */
  readonly files?: Readonly<Record<string, string>>;
}

/** `kn` with these arguments, whose HTTP answers at HTTP_PORT; it need not be ready yet. */
export async function startKn(
  network: Network,
  { name, image, args, files = {} }: KnOptions,
): Promise<StartedTestContainer> {
  return await knContainer(network, { name, image })
    .withCopyContentToContainer(Object.entries(files).map(([target, content]) => ({ content, target, mode: 0o644 })))
    .withCommand(args)
    .withWaitStrategy(Wait.forHttp("/healthz", HTTP_PORT).forStatusCode(200))
    .start();
}

/** On a read-only root, without rights, in 1 GiB. */
function knContainer(network: Network, { name, image }: Omit<NodeOptions, "server">): GenericContainer {
  return new ReadOnlyContainer(inject("images")[image])
    .withLabels(labels())
    .withName(`${name}-${network.name}`)
    .withNetworkMode(network.name)
    .withExposedPorts(HTTP_PORT)
    .withTmpFs({ "/tmp": "rw", "/var/lib/knowledgenet": "rw,mode=1777" })
    .withResourcesQuota({ memory: 1 })
    .withStartupTimeout(START_MS);
}

export interface ContainerFleet extends AsyncDisposable {
  readonly network: Network;
  readonly nats: StartedTestContainer;
  /** By name. */
  readonly nodes: ReadonlyMap<string, StartedTestContainer>;
  readonly connected: ConnectedFleet;
  readonly address: string;
}

export const JETSTREAM = `port: ${NATS_PORT}\nmax_payload: 8MB\njetstream { store_dir: /data }\n`;

/** @param config of its nats-server */
export async function startFleet(
  nodes: Readonly<Record<string, "native" | "wasm">>,
  config = JETSTREAM,
): Promise<ContainerFleet> {
  const network = await createNetwork();
  const nats = await startNats(network, config);
  const started = await Promise.all(
    Object.entries(nodes).map(
      async ([name, image]) => [name, await startNode(network, { name, image, server: hostOf(nats) })] as const,
    ),
  );
  const address = addressOf(nats);
  const connected = await connectFleet({ address, name: "kn test" }, { log: silentLogger });
  return {
    network,
    nats,
    nodes: new Map(started),
    connected,
    address,
    async [Symbol.asyncDispose]() {
      await connected[Symbol.asyncDispose]();
      await Promise.all(
        [...started.map(([, container]) => container), nats].map((container) => container.stop({ timeout: 0 })),
      );
      await network[Symbol.asyncDispose]();
    },
  };
}

export type Signal = "pause" | "unpause" | "kill" | "start" | "restart";

/** What an engine does to a container, by its own names. */
export async function signal(container: StartedTestContainer, what: Signal): Promise<void> {
  const client = await getContainerRuntimeClient();
  await client.container.getById(container.getId())[what]();
}

/** The end of what it has written. */
export async function logOf(container: StartedTestContainer): Promise<string> {
  const client = await getContainerRuntimeClient();
  const parts = await client.container.getById(container.getId()).logs({ stdout: true, stderr: true, tail: 30 });
  return `${hostOf(container)}:\n${parts.toString("utf8")}`;
}

export async function isReady(container: StartedTestContainer): Promise<boolean> {
  const url = `http://${container.getHost()}:${container.getMappedPort(HTTP_PORT)}/readyz`;
  return (await fetch(url).catch(() => undefined))?.status === 200;
}

export async function becomesReady(container: StartedTestContainer): Promise<void> {
  await waitFor(() => isReady(container), "the node is ready", START_MS);
}

/** A server as this machine reaches it. */
export function addressOf(nats: StartedTestContainer): string {
  return `nats://${nats.getHost()}:${nats.getMappedPort(NATS_PORT)}`;
}

/** Its name on the network. */
export function hostOf(container: StartedTestContainer): string {
  return container.getName().replace(/^\//, "");
}

function labels(): Record<string, string> {
  return { [SUITE_LABEL]: inject("engine").session };
}
