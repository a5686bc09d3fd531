import { fileStore } from "../../../src/runtime/store/index.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { describeUpdateShelfContract } from "./update-shelf-contract.ts";

describeUpdateShelfContract("openUpdateShelf in a folder", async () => {
  const folder = await temporaryFolder();
  const store = await fileStore({ directory: folder.path });
  return {
    open: () => Promise.resolve(store),
    async [Symbol.asyncDispose]() {
      await store.close();
      await folder[Symbol.asyncDispose]();
    },
  };
});
