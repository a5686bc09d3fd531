/** Accuracy over windows as a line chart, SVG text. Pure: the same figures give the same text. */

export interface ChartLine {
  readonly name: string;
  readonly colour: string;
  /** In [0, 1], one for each window. */
  readonly values: readonly number[];
}

const [WIDTH, HEIGHT] = [720, 400];
const MARGIN = { left: 56, right: 150, top: 40, bottom: 48 } as const;

/** @param names of the windows, below the axis */
export function drawLines(title: string, names: readonly string[], lines: readonly ChartLine[]): string {
  const lowest = Math.min(...lines.flatMap(({ values }) => [...values]));
  const floor = Math.max(0, Math.floor(lowest * 10 - 0.5) / 10);
  const [inner, height] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const x = (index: number): number => MARGIN.left + (inner * index) / Math.max(1, names.length - 1);
  const y = (value: number): number => MARGIN.top + height * (1 - (value - floor) / (1 - floor));
  const steps = Math.round((1 - floor) * 10);
  const grid = Array.from({ length: steps + 1 }, (_, step) => {
    const value = floor + step / 10;
    return (
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at(y(value))}" y2="${at(y(value))}" stroke="#ddd"/>` +
      text(MARGIN.left - 8, y(value) + 4, `${Math.round(100 * value)} %`, "end")
    );
  });
  const windows = names.map((name, index) => text(x(index), HEIGHT - MARGIN.bottom + 20, name, "middle"));
  const drawn = lines.map(({ colour, values }) => {
    const points = values.map((value, index) => `${at(x(index))},${at(y(value))}`).join(" ");
    return `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2.5"/>`;
  });
  const legend = lines.map(({ name, colour }, index) => {
    const top = MARGIN.top + 10 + 22 * index;
    const left = WIDTH - MARGIN.right + 16;
    return (
      `<line x1="${left}" x2="${left + 20}" y1="${top}" y2="${top}" stroke="${colour}" stroke-width="2.5"/>` +
      text(left + 26, top + 4, name, "start")
    );
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(MARGIN.left, 22, title, "start"),
    ...grid,
    ...windows,
    ...drawn,
    ...legend,
    "</svg>",
    "",
  ].join("\n");
}

const at = (value: number): string => value.toFixed(1);

function text(x: number, y: number, content: string, anchor: "start" | "middle" | "end"): string {
  const safe = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}">${safe}</text>`;
}
