import { describe, expect, it } from "vitest";
import { routeOf } from "../../../../src/apps/http/route.ts";

describe("routeOf", () => {
  it.each([
    ["/v2", { kind: "server" }],
    ["/v2/", { kind: "server" }],
    ["/v2?x=1", { kind: "server" }],
    ["/v2/health/live", { kind: "live" }],
    ["/v2/health/ready", { kind: "ready" }],
    ["/v2/repository/index", { kind: "repository" }],
    ["/v2/models/stats", { kind: "statistics" }],
    ["/v2/models/digits", { kind: "model", model: "digits" }],
    ["/v2/models/digits/", { kind: "model", model: "digits" }],
    ["/v2/models/digits/versions/3", { kind: "model", model: "digits", version: "3" }],
    ["/v2/models/digits/infer", { kind: "infer", model: "digits" }],
    ["/v2/models/digits/versions/3/infer", { kind: "infer", model: "digits", version: "3" }],
    ["/v2/models/digits/ready", { kind: "model-ready", model: "digits" }],
    ["/v2/models/digits/versions/3/ready", { kind: "model-ready", model: "digits", version: "3" }],
    ["/v2/models/digits/config", { kind: "configuration", model: "digits" }],
    ["/v2/models/digits/stats", { kind: "statistics", model: "digits" }],
    ["/v2/models/a%2Fb/infer", { kind: "infer", model: "a/b" }],
    ["/v2/models/versions", { kind: "model", model: "versions" }],
  ])("%s", (path, route) => {
    expect(routeOf(path)).toEqual(route);
  });

  it.each([
    "",
    "*",
    "/",
    "/v1/models/digits:predict",
    "/v2/models",
    "/v2/models/",
    "/v2/models//infer",
    "/v2/models/a/b/infer",
    "/v2/models/digits/versions",
    "/v2/models/digits/versions//infer",
    "/v2/models/digits/versions/1/infer/more",
    "/v2/models/digits/load",
    "/v2/models/digits/toString",
    "/v2/models/%E0%A4%A/infer",
    "/toString",
    "http://127.0.0.1/v2",
  ])("%s is none", (path) => {
    expect(routeOf(path)).toBeUndefined();
  });
});
