/**
 * Classes of image files, by a served model:
 *
 *   kn serve digits --http 127.0.0.1:8080
 *   npx tsx examples/serving/client.ts http://127.0.0.1:8080 digit.png ...
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { connectClient } from "knowledgenet/client";

const [url = "http://127.0.0.1:8080", ...files] = process.argv.slice(2);
await using client = await connectClient({ url, client: "example", timeoutMs: 2_000 });
const images = await Promise.all(files.map((file) => readFile(file)));
const { classes, release } = await client.infer({ images }, { outputs: ["classes"] });
classes.forEach((name, index) => {
  console.log(`${files[index]}: ${name} (${client.model}, release ${release})`);
});
