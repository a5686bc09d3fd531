import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isLiteralSubject,
  isSubjectPattern,
  MAX_SUBJECT_LENGTH,
  matchesSubject,
} from "../../../../src/runtime/bus/index.ts";

// Wild characters are frequent, so that tokens like `*`, `>`, `a>` and `**` all come up.
const token = fc.string({ unit: fc.constantFrom("a", "b", "B", "*", ">", "-", "é"), minLength: 1, maxLength: 3 });
const subject = fc.array(token, { minLength: 1, maxLength: 5 }).map((tokens) => tokens.join("."));
const literal = subject.filter(isLiteralSubject);
const pattern = subject.filter(isSubjectPattern);

/** The rules as the documentation has them, by recursion: nothing shared with the implementation. */
function matchesByTheBook([wanted, ...restWanted]: string[], [found, ...restFound]: string[]): boolean {
  if (wanted === ">" && restWanted.length === 0) return found !== undefined;
  if (wanted === undefined || found === undefined) return wanted === found;
  return (wanted === "*" || wanted === found) && matchesByTheBook(restWanted, restFound);
}

describe("matchesSubject", () => {
  it("agrees with the rules of NATS written down as a recursion", () => {
    fc.assert(
      fc.property(pattern, literal, (wanted, found) => {
        expect(matchesSubject(wanted, found)).toBe(matchesByTheBook(wanted.split("."), found.split(".")));
      }),
      { numRuns: 2_000 },
    );
  });

  it("lets every literal subject match itself and `>`", () => {
    fc.assert(
      fc.property(literal, (found) => {
        expect(matchesSubject(found, found) && matchesSubject(">", found)).toBe(true);
      }),
    );
  });

  it("lets a token be replaced by `*`, and a tail by `>`", () => {
    fc.assert(
      fc.property(literal, fc.nat(), (found, at) => {
        const tokens = found.split(".");
        const i = at % tokens.length;
        const tail = [...tokens.slice(0, i), ">"].join(".");
        expect(matchesSubject(tokens.with(i, "*").join("."), found) && matchesSubject(tail, found)).toBe(true);
      }),
    );
  });
});

describe("isLiteralSubject", () => {
  it("is true of nothing that is no pattern", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", ".", "*", ">", " ", "\0") }), (text) => {
        expect(!isLiteralSubject(text) || isSubjectPattern(text)).toBe(true);
      }),
    );
  });

  it.each(["a", "a.b", "a.b>c", "a.*b", "a.>>", "$SRV.PING", "_INBOX.x", "é.日本"])("is true of %j", (text) => {
    expect(isLiteralSubject(text)).toBe(true);
  });

  it.each(["", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\nb", "a\0", "*", ">", "a.*", "a.>", "*.b"])(
    "is false of %j",
    (text) => {
      expect(isLiteralSubject(text)).toBe(false);
    },
  );

  it("is false of what would break the server's line limit", () => {
    expect(isLiteralSubject("x".repeat(MAX_SUBJECT_LENGTH))).toBe(true);
    expect(isLiteralSubject("x".repeat(MAX_SUBJECT_LENGTH + 1))).toBe(false);
  });
});

describe("isSubjectPattern", () => {
  it.each(["*", ">", "a.*", "a.>", "*.*.>", "a.b>c.>"])("is true of %j", (text) => {
    expect(isSubjectPattern(text)).toBe(true);
  });

  it.each(["", "a..>", ">.a", "a.>.b", "a.> ", "a.>.>"])("is false of %j", (text) => {
    expect(isSubjectPattern(text)).toBe(false);
  });
});
