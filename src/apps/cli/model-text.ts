/** Releases and what is live of a model, for a reader and for a program. */
import type { LiveChange, LiveRecord, ModelRelease } from "../../models/index.ts";
import { percentText, type TextTable } from "../../jobs/text.ts";

/** "live", "previous", "canary 5 %", or "". */
export function roleOf(release: number, { live, previous, candidate }: LiveRecord): string {
  if (release === live) return "live";
  if (release === candidate?.release) return `${candidate.mode} ${candidate.percent} %`;
  return release === previous ? "previous" : "";
}

export function signatureText({ signature }: ModelRelease): string {
  switch (signature.kind) {
    case "unsigned":
      return "none";
    case "refused":
      return `refused: ${signature.value}`;
    case "signed":
    case "trusted":
      return `${signature.kind}, ${signature.keyId}`;
  }
}

export function releasesTable(releases: readonly ModelRelease[], live: LiveRecord): TextTable {
  return {
    head: ["release", "", "run", "generation", "accuracy", "blocks", "signature", "pinned", "published"],
    rows: releases.map((each) => {
      const { release, manifest, digests, isPinned } = each;
      const { run, generation, phase } = manifest.origin;
      return [
        String(release),
        roleOf(release, live),
        run,
        `${generation} (${phase})`,
        percentText(manifest.evaluation?.accuracy),
        String(digests.length),
        signatureText(each),
        isPinned ? "yes" : "",
        manifest.createdAt,
      ];
    }),
  };
}

export function releaseJson(each: ModelRelease, live: LiveRecord): unknown {
  const { release, manifest, digests, signature, isPinned } = each;
  const role = roleOf(release, live);
  return { release, ...(role === "" ? {} : { role }), isPinned, signature, digests, manifest };
}

/** "2026-01-01T00:00:00Z: release 3 promoted, before it 2; kn promote, alice@edge-1: better". */
export function changeText({ atMs, kind, from, to, candidate, by, reason }: LiveChange): string {
  const share =
    candidate === undefined ? "" : `release ${candidate.release} as ${candidate.mode} of ${candidate.percent} %`;
  const before = from === undefined ? "" : `, before it ${from}`;
  const what = {
    promoted: `release ${to} promoted${before}`,
    "rolled-back": `rolled back to release ${to}${before}`,
    "candidate-started": `${share} begins`,
    "candidate-ended": `${share} ends`,
    removed: `removed with all its releases${before}`,
  }[kind];
  return `${timeText(atMs)} ${what} (${by}${reason === "" ? "" : `: ${reason}`})`;
}

export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
