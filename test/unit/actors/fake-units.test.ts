/** The fakes of the actors' tests keep the contract of the units that they stand for. */
import { BAD_STEP, blockHandleContract, gradientModelHandleContract } from "../../support/block-handle-contract.ts";
import {
  BAD_SECTION_STEP,
  sectionHandleContract,
  teacherHandleContract,
} from "../../support/section-handle-contract.ts";
import { floats } from "./actor-scene.ts";
import { fakeBlock, fakeGradientModel, fakeSection, fakeTeacher } from "./fake-units.ts";

const labels = { dtype: "i32", shape: [2], values: Int32Array.of(1, 2) } as const;

blockHandleContract("fakeBlock", async ({ source, isFirst = false, retain = 4 }) => {
  const { handle } = fakeBlock({
    isFirst,
    isLast: source === "last",
    isLater: source === "later",
    retain,
    failsAtStep: BAD_STEP,
  });
  const tensor = () => floats([2, 3]);
  return { handle, labels, input: tensor, gradient: tensor, [Symbol.asyncDispose]: () => handle.dispose() };
});

gradientModelHandleContract("fakeGradientModel", async () => {
  const { handle, forgotten } = fakeGradientModel();
  forgotten.add(99);
  return {
    handle,
    labels,
    tensor: () => floats([2, 3]),
    unknownStep: 99,
    [Symbol.asyncDispose]: () => handle.dispose(),
  };
});

sectionHandleContract("fakeSection", async ({ isLast }) => {
  const { handle } = fakeSection({ isLast, failsAtStep: BAD_SECTION_STEP });
  const tensor = () => floats([2, 3]);
  return { handle, labels, input: tensor, hint: tensor, [Symbol.asyncDispose]: () => handle.dispose() };
});

teacherHandleContract("fakeTeacher", async () => {
  const { handle } = fakeTeacher();
  return {
    handle,
    input: (rows) => ({
      dtype: "f32",
      shape: [rows.length, 2],
      values: Float32Array.from(rows.flatMap((row) => [row, 2 * row])),
    }),
    image: { dtype: "u8", shape: [2, 1, 1], values: Uint8Array.of(1, 2) },
    [Symbol.asyncDispose]: () => handle.dispose(),
  };
});
