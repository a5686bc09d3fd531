import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { setupCommand } from "../../../setup/remedies.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

it("setupCommand names the command that there is in this kind of installation", async () => {
  await using folder = await temporaryFolder();
  const installed = async (prefix: string, ...path: string[]): Promise<string> => {
    const root = join(folder.path, prefix, ...path, "node_modules", "knowledgenet");
    await mkdir(root, { recursive: true });
    return root;
  };
  expect(setupCommand(join(folder.path, "checkout"))).toBe("npm run setup");
  expect(setupCommand(await installed("global", "lib"))).toBe("kn setup");
  const local = await installed("project");
  await writeFile(join(folder.path, "project", "package.json"), "{}");
  expect(setupCommand(local)).toBe("npx kn setup");
  expect(setupCommand(join(folder.path, "project", "node_modules", ".pnpm", "x", "node_modules", "knowledgenet"))).toBe(
    "npx kn setup",
  );
});

it("setupCommand names the script in this checkout by default", () => {
  expect(setupCommand()).toBe("npm run setup");
});
