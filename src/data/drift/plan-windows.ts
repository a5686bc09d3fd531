/** A schedule as what each window contains. */
import { randomDraws } from "../random-draws.ts";
import { scaleDomain } from "./apply-domain.ts";
import { type Domain, type DriftOptions, refuseDrift } from "./drift-options.ts";

export interface WindowPlan {
  /** Their shares sum to 1. */
  readonly domains: readonly { readonly share: number; readonly domain: Domain }[];
  /** Of each class, summing to 1; undefined: as often as among the source images. */
  readonly classShares: readonly number[] | undefined;
}

const UNCHANGED: Domain = [];
/** Parts a window's draws from those of its images. */
const CLASS_SHARES = 0x636c6173;

/** @throws KnowledgeNetError KN_CONFIG for classes that the images do not have. */
export function planWindows(options: DriftOptions, classes: number): readonly WindowPlan[] {
  const { schedule, windows, seed } = options;
  return Array.from({ length: windows }, (_, window): WindowPlan => {
    switch (schedule.kind) {
      case "ramp":
        return wholly(scaleDomain(schedule.domain, window / (windows - 1)));
      case "abrupt":
        return wholly(window < schedule.at ? UNCHANGED : schedule.domain);
      case "recurring": {
        const isFirst = Math.floor(window / schedule.periodWindows) % 2 === 0;
        return wholly(isFirst ? schedule.first : schedule.second);
      }
      case "label-shift":
        return {
          ...wholly(window === 0 ? UNCHANGED : schedule.domain),
          classShares: window === 0 ? equalShares(classes) : dirichlet(classes, schedule.concentration, seed, window),
        };
      case "new-class": {
        const fresh = new Set(schedule.classes);
        const unknown = schedule.classes.find((label) => label >= classes);
        if (unknown !== undefined) {
          throw refuseDrift(`schedule.classes: must be below the ${classes} classes of the images`, String(unknown));
        }
        if (fresh.size >= classes) {
          throw refuseDrift("schedule.classes: at least one class must be in window 0", JSON.stringify([...fresh]));
        }
        const known = 1 / (classes - fresh.size);
        return window >= schedule.at
          ? { ...wholly(schedule.domain), classShares: equalShares(classes) }
          : {
              ...wholly(UNCHANGED),
              classShares: Array.from({ length: classes }, (_, label) => (fresh.has(label) ? 0 : known)),
            };
      }
      case "mixture": {
        if (window < schedule.at) return wholly(UNCHANGED);
        const each = schedule.share / schedule.domains.length;
        const domains = schedule.domains.map((domain) => ({ share: each, domain }));
        return { domains: [...domains, { share: 1 - schedule.share, domain: UNCHANGED }], classShares: undefined };
      }
    }
  });
}

function wholly(domain: Domain): WindowPlan {
  return { domains: [{ share: 1, domain }], classShares: undefined };
}

function equalShares(classes: number): readonly number[] {
  return Array.from({ length: classes }, () => 1 / classes);
}

/** Gamma draws over their sum. */
function dirichlet(classes: number, concentration: number, seed: number, window: number): readonly number[] {
  const draws = randomDraws(seed, CLASS_SHARES, window);
  const shares = Array.from({ length: classes }, () => draws.gamma(concentration));
  const sum = shares.reduce((total, share) => total + share, 0);
  return sum > 0 ? shares.map((share) => share / sum) : equalShares(classes);
}
