/** Answers from what is known: health, metadata, configuration, statistics, the repository's index. */
import type { ServerResponse } from "node:http";
import type { ServedModel } from "../../actors/gateway/index.ts";
import { KnowledgeNetError } from "../../errors/index.ts";
import {
  modelConfiguration,
  modelMetadata,
  modelStatistics,
  repositoryIndex,
  serverMetadata,
} from "../../messages/open-inference/index.ts";
import { describeModel } from "./describe-model.ts";
import type { InferenceStatistics } from "./inference-statistics.ts";
import type { DescriptionRoute } from "./route.ts";
import { sendJson, sendText, sendUnready } from "./send.ts";

export interface DescriptionDeps {
  readonly models: () => readonly ServedModel[];
  /** Why the server as a whole would refuse requests now. */
  readonly unready: () => readonly string[];
  readonly statistics: InferenceStatistics;
  readonly version: string;
}

export interface Description {
  /** @throws KnowledgeNetError KN_CONFIG for a model or a version that is not served */
  answer(route: DescriptionRoute, response: ServerResponse): void;
}

export function createDescription({ models, unready, statistics, version }: DescriptionDeps): Description {
  function answer(route: DescriptionRoute, response: ServerResponse): void {
    switch (route.kind) {
      case "server":
        sendJson(response, serverMetadata(version));
        return;
      case "live":
        sendJson(response, { live: true });
        return;
      case "ready": {
        const reasons = unreadyNow();
        // The specification answers `live` here too, KServe `ready`.
        if (reasons.length === 0) sendJson(response, { live: true, ready: true });
        else sendUnready(response, reasons);
        return;
      }
      case "healthz":
        sendText(response, 200, "ok\n");
        return;
      case "readyz": {
        const reasons = unreadyNow();
        sendText(response, reasons.length === 0 ? 200 : 503, reasons.length === 0 ? "ok\n" : `${reasons.join("\n")}\n`);
        return;
      }
      case "repository":
        sendJson(response, repositoryIndex(indexEntries()));
        return;
      case "statistics": {
        const named = route.model === undefined ? models() : [findModel(models(), route.model)];
        if (route.model !== undefined && route.version !== undefined)
          describeModel(findModel(models(), route.model), route.version);
        sendJson(response, modelStatistics(named.flatMap((model) => statistics.of(model, route.version))));
        return;
      }
      case "model":
        sendJson(response, modelMetadata(describeModel(findModel(models(), route.model), route.version)));
        return;
      case "configuration":
        sendJson(response, modelConfiguration(describeModel(findModel(models(), route.model), route.version)));
        return;
      case "model-ready": {
        const model = findModel(models(), route.model);
        const { name } = describeModel(model, route.version);
        const reasons = [...unready(), ...model.unready];
        if (reasons.length === 0) sendJson(response, { name, ready: true });
        else sendUnready(response, reasons, { name });
        return;
      }
      default:
        route satisfies never;
    }
  }

  function unreadyNow(): readonly string[] {
    const ofModels = models().flatMap(({ name, unready: reasons }) => reasons.map((reason) => `${name}: ${reason}`));
    return [...unready(), ...ofModels];
  }

  function indexEntries() {
    return models().flatMap(({ name, releases, unready: reasons }) =>
      releases.map(({ release }) => ({ name, version: String(release), unready: reasons })),
    );
  }

  return { answer };
}

/** @throws KnowledgeNetError KN_CONFIG */
export function findModel(served: readonly ServedModel[], name: string): ServedModel {
  const found = served.find((model) => model.name === name);
  if (found !== undefined) return found;
  throw new KnowledgeNetError("KN_CONFIG", {
    attempt: "find the model",
    rule: `models are ${served.map((model) => model.name).join(", ") || "none"}`,
    value: JSON.stringify(name.slice(0, 80)),
  });
}
