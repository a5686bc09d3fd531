import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "runs/", "node_modules/", "src/messages/generated/"] },
  {
    files: ["src/**/*.ts", "setup/**/*.ts", "tools/**/*.ts", "test/**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true, allowNullish: true },
      ], // messages show values as they are
      "@typescript-eslint/no-invalid-void-type": "off", // `Promise<void | Error>` says "ended, perhaps with an error" (style.md)
      "@typescript-eslint/require-await": "off", // a port's method is async whether this adapter waits or not: it must reject, not throw
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/no-unnecessary-condition": "off", // the vendors' types promise values that are absent at run time (tf.getKernel, process.stdout.isTTY)
      "@typescript-eslint/no-unsafe-enum-comparison": "off", // codes come over the wire as plain strings and numbers
      "@typescript-eslint/no-unsafe-class-instance-assignment": "off", // tfjs types a layer's weight as Tensor where it is a Variable
      "@typescript-eslint/prefer-promise-reject-errors": [
        "error",
        { allowThrowingUnknown: true, allowThrowingAny: true },
      ], // signal.reason is passed on as it is
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/no-unnecessary-type-parameters": "off", // a type parameter may document a relation
      "@typescript-eslint/unbound-method": "off", // objects here are closures without `this`: their methods may be passed on
    },
  },
  {
    files: ["test/**/*.ts"],
    rules: {
      "@typescript-eslint/no-unsafe-assignment": "off", // vitest's asymmetric matchers are `any`
      "@typescript-eslint/no-unnecessary-type-assertion": "off", // says what the reader cannot see in JSON.parse and dataSync
    },
  },
);
