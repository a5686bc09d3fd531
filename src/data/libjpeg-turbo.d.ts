/** The part of the package that is used. Its own documentation has no types. */
declare module "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs" {
  export interface JpegDecoder {
    /** Memory for the file; valid until the next allocation. */
    getEncodedBuffer(bytes: number): Uint8Array;
    /** Throws a number, of no meaning, for anything that libjpeg warns of. */
    decode(): void;
    getFrameInfo(): { readonly width: number; readonly height: number; readonly componentCount: number };
    /** A view of the instance's memory. */
    getDecodedBuffer(): Uint8ClampedArray;
    delete(): void;
  }
  export interface JpegCodec {
    readonly JPEGDecoder: new () => JpegDecoder;
  }
  const createCodec: (options?: {
    readonly print?: (line: string) => void;
    readonly printErr?: (line: string) => void;
  }) => Promise<JpegCodec>;
  export default createCodec;
}
