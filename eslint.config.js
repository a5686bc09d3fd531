import tseslint from "typescript-eslint";

/** Time, randomness and environment come in through ports, so that a run is a function of its spec, data and seed. */
const TIME = "Take time and timers from the Clock that is passed in.";
const RANDOM = "Derive random numbers from the run's seed (deriveSeed); name things with uniqueId().";
const ENVIRONMENT = "Read the environment in src/apps and pass the value in.";
const AMBIENT = {
  "no-restricted-globals": [
    "error",
    ...["performance", "setTimeout", "setInterval", "setImmediate"].map((name) => ({ name, message: TIME })),
    { name: "crypto", message: RANDOM },
  ],
  "no-restricted-properties": [
    "error",
    { object: "Date", property: "now", message: TIME },
    { object: "process", property: "hrtime", message: TIME },
    { object: "process", property: "env", message: ENVIRONMENT },
    { object: "Math", property: "random", message: RANDOM },
    ...["performance", "setTimeout", "setInterval", "setImmediate", "Date", "crypto"].map((property) => ({
      object: "globalThis",
      property,
      message: `${TIME} ${RANDOM}`,
    })),
  ],
  "no-restricted-syntax": [
    "error",
    { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: TIME },
    { selector: "CallExpression[callee.name='Date']", message: TIME },
  ],
  "no-restricted-imports": [
    "error",
    {
      paths: [
        ...["node:perf_hooks", "perf_hooks", "node:timers", "timers", "node:timers/promises", "timers/promises"].map(
          (name) => ({ name, message: TIME }),
        ),
        ...["node:crypto", "crypto"].map((name) => ({
          name,
          importNames: ["randomBytes", "randomUUID", "randomInt", "randomFillSync", "getRandomValues", "webcrypto"],
          message: RANDOM,
        })),
        ...["node:process", "process"].map((name) => ({ name, importNames: ["env", "hrtime"], message: ENVIRONMENT })),
      ],
    },
  ],
};

/** The adapters of these ports, and the places that no port reaches. */
const ADAPTERS = [
  "src/runtime/clock/system-clock.ts", // the Clock on Node's timers
  "src/runtime/clock/simulated-clock.ts", // lets the event loop run between two timers
  "src/runtime/bus/memory/memory-broker.ts", // yields to the event loop between two deliveries
  "src/runtime/unique-id.ts", // names that no other process may draw again; no result depends on them
  "src/runtime/nats/local-nats-server.ts", // a child process: its deadlines are the operating system's
  "src/client/system-ports.ts", // a package door of its own: its deadlines are the machine's
  "src/compute/worker/worker-main.ts", // times a call inside the thread, where no Clock is
  "src/compute/worker/measure-speed.ts", // a benchmark of this thread
  "src/compute/backend/native-backend.ts", // a variable that libtensorflow itself reads
];

/** A job kind answers what depends on it (docs/adr/0015-job-kinds.md). */
const KIND_BRANCHES = ["[object.name=/^(spec|read)$/]", "[object.property.name='spec']"].map((owner) => ({
  selector: `BinaryExpression > MemberExpression[property.name='kind']${owner}`,
  message: "ask jobKindOf(spec) instead of comparing spec.kind",
}));

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
  { files: ["src/**/*.ts"], ignores: ["src/apps/**", ...ADAPTERS], rules: AMBIENT },
  { files: ["src/apps/**/*.ts", "tools/**/*.ts"], rules: { "no-restricted-syntax": ["error", ...KIND_BRANCHES] } },
  {
    files: ["src/jobs/**/*.ts", "src/fleet/**/*.ts"],
    ignores: ["src/jobs/kinds/**", ...ADAPTERS],
    rules: { "no-restricted-syntax": [...AMBIENT["no-restricted-syntax"], ...KIND_BRANCHES] },
  },
);
