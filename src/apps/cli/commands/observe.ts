/** `kn observe`: classifies files with a served model, and lets the model's observers have them. */
import type { Command } from "commander";
import { connectClient } from "../../../client/index.ts";
import type { ExecuteDeps } from "../execute-run.ts";
import { readInputFile } from "../read-input-file.ts";
import { EXIT_OK } from "../exit.ts";

interface ObserveCommandOptions {
  readonly url: string;
  readonly json: boolean;
}

/** What one file was taken for. */
interface Answer {
  readonly file: string;
  readonly class: string;
  readonly probability: number;
  readonly release: number;
}

export function registerObserve(program: Command, { terminal }: ExecuteDeps, exit: (code: number) => void): void {
  program
    .command("observe")
    .argument("<model>", "name of a served model")
    .argument("<file...>", "PNG or JPEG files")
    .description("classify files with a served model, and let it learn from them: kn serve --observe allows it")
    .option("--url <address>", "of a server that serves the model", "http://127.0.0.1:8080")
    .option("--json", "print one JSON document and nothing else on stdout", false)
    .action(async (model: string, files: readonly string[], { url, json }: ObserveCommandOptions) => {
      const answers: Answer[] = [];
      await using client = await connectClient({ url, model });
      for (const file of files) {
        const image = await readInputFile(file);
        const { classes, probabilities, release } = await client.observe(
          { image },
          { outputs: ["classes", "probabilities"] },
        );
        const answer = { file, class: classes[0] ?? "", probability: Math.max(...probabilities), release };
        answers.push(answer);
        if (!json) terminal.write(lineOf(answer));
      }
      if (json) terminal.write(JSON.stringify({ model, answers }, undefined, 2));
      exit(EXIT_OK);
    });
}

function lineOf({ file, class: name, probability, release }: Answer): string {
  return `${file}: ${name} (${(100 * probability).toFixed(2)} %) by release ${release}; sent to the observers`;
}
