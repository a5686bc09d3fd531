/** Events of a continuous run as lines for a person. Pure. */
import type { FollowEvent } from "../../actors/learner/index.ts";
import { bytesText, percentText } from "../../jobs/text.ts";

export function lineOfEvent(event: FollowEvent): string {
  const window = `window ${event.window}`;
  switch (event.kind) {
    case "window": {
      const { right, labels, low, high } = event.agreement;
      const agreement =
        labels === 0
          ? "no uniform inputs"
          : `agrees with the oracle on ${percentText(right / labels)} (${percentText(low)} to ${percentText(high)})`;
      const drift = event.drift.length === 0 ? "" : ` | drift by ${event.drift.join(" and ")}`;
      return `${window} | release ${event.live} ${agreement} | ${event.replay} samples held${drift}`;
    }
    case "candidate": {
      const share = event.content === "masked" ? `, ${percentText(event.fraction)} of the weights` : "";
      return `${window} | candidate ${event.candidate}: ${event.content}${share}, ${bytesText(event.bytes)}, from ${event.samples} samples`;
    }
    case "promotion":
      return `${window} | candidate ${event.candidate} promoted as update ${event.number}: ${event.reason}`;
    case "refusal":
      return `${window} | candidate ${event.candidate} refused: ${event.reason}`;
    case "rollback":
      return `${window} | rolled back from update ${event.from} to the weights of ${event.to}, as update ${event.number}`;
    case "anchor":
      return `${window} | full update ${event.number}, ${bytesText(event.bytes)}`;
    case "oracle":
      return `${window} | the oracle changed from ${event.from} to ${event.to}: labels are asked anew`;
  }
}
