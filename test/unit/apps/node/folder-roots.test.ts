import { delimiter, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { assertWithinRoots, folderRoots } from "../../../../src/apps/node/folder-roots.ts";

describe("folderRoots", () => {
  it("are the node's own folders and those of KN_ROOTS", () => {
    expect(folderRoots(["state", undefined], { KN_ROOTS: ["/a", "/b/c"].join(delimiter) })).toEqual([
      resolve("state"),
      resolve("/a"),
      resolve("/b/c"),
    ]);
    expect(folderRoots([undefined], {})).toEqual([]);
  });
});

describe("assertWithinRoots", () => {
  const roots = folderRoots(["/data", "/cache"], {});
  it.each([undefined, "/data", "/data/mnist", "/cache/../data/x", "/data/..x"])("allows %s", (folder) => {
    expect(() => {
      assertWithinRoots("data.directory", folder, roots);
    }).not.toThrow();
  });

  it.each(["/", "/etc", "/database", "/data/../etc", "/data/.."])("refuses %s with KN_CONFIG", (folder) => {
    expect(() => {
      assertWithinRoots("data.directory", folder, roots);
    }).toThrow(expect.objectContaining({ code: "KN_CONFIG", attempt: "use data.directory of the run" }));
  });
});
