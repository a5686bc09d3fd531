/**
 * Makes the native tensor backend work, by whatever route this machine allows, in this order: it works already; the
 * libraries are cached; the package's own download; the Python wheel. Each route ends with the same proof: a child
 * process multiplies and differentiates on it.
 */
import { rm } from "node:fs/promises";
import { type BackendProbe, probeBackend } from "./backend-probe.ts";
import { addonPath } from "./cache-layout.ts";
import type { Host } from "./host.ts";
import { findPackage, readPackageJson } from "./installed-package.ts";
import { cachedLibrary, fetchLibrary, wheelFor } from "./libtensorflow-wheel.ts";
import { setupCommand } from "./remedies.ts";
import { buildAddon, linkLibrary, placeAddon, runOwnInstallScript } from "./tfjs-node-addon.ts";
import { restoreTfjsNode } from "./tfjs-node-package.ts";
import { unavailable } from "./unavailable.ts";

/**
 * @param root the package whose `node_modules` is served
 * @returns the probe of the working backend
 * @throws KnowledgeNetError KN_UNAVAILABLE when no route leads there
 */
export async function installNativeBackend(root: string, cache: string, host: Host): Promise<BackendProbe> {
  const before = await probeBackend("native", root, host); // another setup may have done it while we waited
  if (before.state === "present") return before;

  const wheel = wheelFor(host);
  const found = findPackage(root, "@tensorflow/tfjs-node");
  const folder = found ?? (await restoreTfjsNode(root, cache, host));
  const cached = wheel && (await cachedLibrary(wheel, cache, host));
  if (cached === undefined) {
    // When npm has just dropped the package, its own download has just failed: no second try.
    const justTried = found === undefined && host.env.npm_command !== undefined;
    const own = justTried ? undefined : await tryOwnDownload(folder, root, host);
    if (own?.state === "present") return own;
  }
  if (wheel === undefined) {
    throw unavailable(
      "install libtensorflow",
      "tfjs-node's own download must answer here: wheels serve Linux with glibc only",
      {
        value: `${host.platform} ${host.arch}`,
        remedy: "set TFJS_NODE_BASE_URI to a mirror; until then training runs on wasm",
      },
    );
  }

  const library = cached ?? (await fetchLibrary(wheel, cache, host));
  await linkLibrary(folder, library);
  const addon = addonPath(cache, {
    packageVersion: readPackageJson(folder).version ?? "unknown",
    libraryVersion: wheel.version,
    platform: host.platform,
    arch: host.arch,
    modules: host.node.modules,
  });
  if (await placeAddon(folder, addon, host)) {
    const placed = await probeBackend("native", root, host);
    if (placed.state === "present") return placed;
    await rm(addon, { force: true }); // built for another system under the same home: build it here
  }
  await buildAddon(folder, addon, host);
  const built = await probeBackend("native", root, host);
  if (built.state === "present") return built;
  throw unavailable("use the native backend", built.reason ?? "the probe gave no reason", {
    remedy: `rm -rf ${library} && ${setupCommand(root)}`,
  });
}

async function tryOwnDownload(folder: string, root: string, host: Host): Promise<BackendProbe | undefined> {
  try {
    await runOwnInstallScript(folder, host);
  } catch {
    return undefined; // already reported as progress; the wheel is next
  }
  return probeBackend("native", root, host);
}
