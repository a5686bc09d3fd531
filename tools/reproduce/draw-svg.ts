/** A plot as SVG text: the same options give the same text. */
import type { EChartsOption } from "echarts";
import { KnowledgeNetError } from "../../src/errors/index.ts";

const SIZE = { width: 900, height: 520 } as const;

/** Rejects with KN_UNAVAILABLE when the drawing library, a development dependency, is absent. */
export async function drawSvg(options: EChartsOption): Promise<string> {
  const echarts = await import("echarts").catch((cause: unknown) => {
    throw new KnowledgeNetError("KN_UNAVAILABLE", {
      attempt: "draw a plot",
      rule: "echarts must be installed",
      value: "absent",
      remedy: "run `npm ci`",
      cause,
    });
  });
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, ...SIZE });
  try {
    chart.setOption({ animation: false, ...options });
    return renumber(chart.renderToSVGString());
  } finally {
    chart.dispose();
  }
}

/** zrender numbers its elements over the whole process: equal cells must give equal text. */
function renumber(svg: string): string {
  const names = new Map<string, string>();
  return svg.replaceAll(/zr\d*-[a-z]+-?\d+/g, (name) => {
    const known = names.get(name) ?? `zr-${names.size}`;
    names.set(name, known);
    return known;
  });
}
