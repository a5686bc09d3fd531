/** In each test process, before testcontainers is loaded: where the engine is. */
import { inject } from "vitest";

Object.assign(process.env, inject("engine").env);
