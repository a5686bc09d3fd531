// @ts-nocheck
/* eslint-disable */
// Generated from schemas/ by `npm run generate`. Do not edit.
/*eslint-disable block-scoped-var, id-length, no-control-regex, no-magic-numbers, no-mixed-operators, no-prototype-builtins, no-redeclare, no-shadow, no-var, sort-vars, default-case, jsdoc/require-param*/
import $protobuf from "protobufjs/minimal.js";

const $Reader = $protobuf.Reader, $Writer = $protobuf.Writer, $util = $protobuf.util;
const $Object = $util.global.Object, $undefined = $util.global.undefined, $Error = $util.global.Error, $RangeError = $util.global.RangeError;

const $root = $protobuf.roots["knowledgenet"] || ($protobuf.roots["knowledgenet"] = {});

const knowledgenet = $root.knowledgenet = (() => {

    const knowledgenet = {};

    knowledgenet.v1 = (function() {

        const v1 = {};

        v1.StartFeeding = (function() {

            const StartFeeding = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            StartFeeding.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            StartFeeding.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.StartFeeding();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    reader.skipType(tag & 7, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return StartFeeding;
        })();

        v1.PauseFeeding = (function() {

            const PauseFeeding = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            PauseFeeding.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            PauseFeeding.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.PauseFeeding();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    reader.skipType(tag & 7, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return PauseFeeding;
        })();

        v1.SaveCheckpoint = (function() {

            const SaveCheckpoint = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            SaveCheckpoint.prototype.generation = null;

            SaveCheckpoint.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.generation != null && $Object.hasOwnProperty.call(message, "generation") && (typeof message.generation === "object" ? message.generation.low || message.generation.high : message.generation !== 0))
                    writer.uint32(8).uint64(message.generation);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            SaveCheckpoint.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.SaveCheckpoint();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.generation = value;
                            else
                                delete message.generation;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return SaveCheckpoint;
        })();

        v1.PrepareCheckpoint = (function() {

            const PrepareCheckpoint = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            PrepareCheckpoint.prototype.generation = null;

            PrepareCheckpoint.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.generation != null && $Object.hasOwnProperty.call(message, "generation") && (typeof message.generation === "object" ? message.generation.low || message.generation.high : message.generation !== 0))
                    writer.uint32(8).uint64(message.generation);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            PrepareCheckpoint.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.PrepareCheckpoint();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.generation = value;
                            else
                                delete message.generation;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return PrepareCheckpoint;
        })();

        v1.AbandonCheckpoint = (function() {

            const AbandonCheckpoint = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            AbandonCheckpoint.prototype.generation = null;

            AbandonCheckpoint.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.generation != null && $Object.hasOwnProperty.call(message, "generation") && (typeof message.generation === "object" ? message.generation.low || message.generation.high : message.generation !== 0))
                    writer.uint32(8).uint64(message.generation);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            AbandonCheckpoint.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.AbandonCheckpoint();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.generation = value;
                            else
                                delete message.generation;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return AbandonCheckpoint;
        })();

        v1.ReportState = (function() {

            const ReportState = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            ReportState.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            ReportState.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.ReportState();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    reader.skipType(tag & 7, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return ReportState;
        })();

        v1.StopActor = (function() {

            const StopActor = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            StopActor.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            StopActor.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.StopActor();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    reader.skipType(tag & 7, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return StopActor;
        })();

        v1.UseTeacher = (function() {

            const UseTeacher = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            UseTeacher.prototype.version = null;

            UseTeacher.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.version != null && $Object.hasOwnProperty.call(message, "version") && (typeof message.version === "object" ? message.version.low || message.version.high : message.version !== 0))
                    writer.uint32(8).uint64(message.version);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            UseTeacher.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.UseTeacher();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.version = value;
                            else
                                delete message.version;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return UseTeacher;
        })();

        v1.Command = (function() {

            const Command = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Command.prototype.startFeeding = null;
            Command.prototype.pauseFeeding = null;
            Command.prototype.saveCheckpoint = null;
            Command.prototype.stopActor = null;
            Command.prototype.reportState = null;
            Command.prototype.useTeacher = null;
            Command.prototype.prepareCheckpoint = null;
            Command.prototype.abandonCheckpoint = null;

            let $oneOfFields;

            $Object.defineProperty(Command.prototype, "order", {
                get: $util.oneOfGetter($oneOfFields = ["startFeeding", "pauseFeeding", "saveCheckpoint", "stopActor", "reportState", "useTeacher", "prepareCheckpoint", "abandonCheckpoint"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            Command.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.startFeeding != null && $Object.hasOwnProperty.call(message, "startFeeding"))
                    $root.knowledgenet.v1.StartFeeding.encode(message.startFeeding, writer.uint32(10).fork(), _depth + 1).ldelim();
                if (message.pauseFeeding != null && $Object.hasOwnProperty.call(message, "pauseFeeding"))
                    $root.knowledgenet.v1.PauseFeeding.encode(message.pauseFeeding, writer.uint32(18).fork(), _depth + 1).ldelim();
                if (message.saveCheckpoint != null && $Object.hasOwnProperty.call(message, "saveCheckpoint"))
                    $root.knowledgenet.v1.SaveCheckpoint.encode(message.saveCheckpoint, writer.uint32(26).fork(), _depth + 1).ldelim();
                if (message.stopActor != null && $Object.hasOwnProperty.call(message, "stopActor"))
                    $root.knowledgenet.v1.StopActor.encode(message.stopActor, writer.uint32(34).fork(), _depth + 1).ldelim();
                if (message.reportState != null && $Object.hasOwnProperty.call(message, "reportState"))
                    $root.knowledgenet.v1.ReportState.encode(message.reportState, writer.uint32(42).fork(), _depth + 1).ldelim();
                if (message.useTeacher != null && $Object.hasOwnProperty.call(message, "useTeacher"))
                    $root.knowledgenet.v1.UseTeacher.encode(message.useTeacher, writer.uint32(50).fork(), _depth + 1).ldelim();
                if (message.prepareCheckpoint != null && $Object.hasOwnProperty.call(message, "prepareCheckpoint"))
                    $root.knowledgenet.v1.PrepareCheckpoint.encode(message.prepareCheckpoint, writer.uint32(58).fork(), _depth + 1).ldelim();
                if (message.abandonCheckpoint != null && $Object.hasOwnProperty.call(message, "abandonCheckpoint"))
                    $root.knowledgenet.v1.AbandonCheckpoint.encode(message.abandonCheckpoint, writer.uint32(66).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Command.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Command();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            message.startFeeding = $root.knowledgenet.v1.StartFeeding.decode(reader, reader.size(), $undefined, _depth + 1, message.startFeeding);
                            message.order = "startFeeding";
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            message.pauseFeeding = $root.knowledgenet.v1.PauseFeeding.decode(reader, reader.size(), $undefined, _depth + 1, message.pauseFeeding);
                            message.order = "pauseFeeding";
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            message.saveCheckpoint = $root.knowledgenet.v1.SaveCheckpoint.decode(reader, reader.size(), $undefined, _depth + 1, message.saveCheckpoint);
                            message.order = "saveCheckpoint";
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            message.stopActor = $root.knowledgenet.v1.StopActor.decode(reader, reader.size(), $undefined, _depth + 1, message.stopActor);
                            message.order = "stopActor";
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            message.reportState = $root.knowledgenet.v1.ReportState.decode(reader, reader.size(), $undefined, _depth + 1, message.reportState);
                            message.order = "reportState";
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            message.useTeacher = $root.knowledgenet.v1.UseTeacher.decode(reader, reader.size(), $undefined, _depth + 1, message.useTeacher);
                            message.order = "useTeacher";
                            continue;
                        }
                    case 7: {
                            if (wireType !== 2)
                                break;
                            message.prepareCheckpoint = $root.knowledgenet.v1.PrepareCheckpoint.decode(reader, reader.size(), $undefined, _depth + 1, message.prepareCheckpoint);
                            message.order = "prepareCheckpoint";
                            continue;
                        }
                    case 8: {
                            if (wireType !== 2)
                                break;
                            message.abandonCheckpoint = $root.knowledgenet.v1.AbandonCheckpoint.decode(reader, reader.size(), $undefined, _depth + 1, message.abandonCheckpoint);
                            message.order = "abandonCheckpoint";
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Command;
        })();

        v1.CommandReply = (function() {

            const CommandReply = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            CommandReply.prototype.done = null;
            CommandReply.prototype.checkpointSaved = null;
            CommandReply.prototype.failure = null;
            CommandReply.prototype.actorState = null;

            let $oneOfFields;

            $Object.defineProperty(CommandReply.prototype, "outcome", {
                get: $util.oneOfGetter($oneOfFields = ["done", "checkpointSaved", "failure", "actorState"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            CommandReply.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.done != null && $Object.hasOwnProperty.call(message, "done"))
                    $root.knowledgenet.v1.Done.encode(message.done, writer.uint32(10).fork(), _depth + 1).ldelim();
                if (message.checkpointSaved != null && $Object.hasOwnProperty.call(message, "checkpointSaved"))
                    $root.knowledgenet.v1.CheckpointSaved.encode(message.checkpointSaved, writer.uint32(18).fork(), _depth + 1).ldelim();
                if (message.failure != null && $Object.hasOwnProperty.call(message, "failure"))
                    $root.knowledgenet.v1.Failure.encode(message.failure, writer.uint32(26).fork(), _depth + 1).ldelim();
                if (message.actorState != null && $Object.hasOwnProperty.call(message, "actorState"))
                    $root.knowledgenet.v1.ActorState.encode(message.actorState, writer.uint32(34).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            CommandReply.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.CommandReply();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            message.done = $root.knowledgenet.v1.Done.decode(reader, reader.size(), $undefined, _depth + 1, message.done);
                            message.outcome = "done";
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            message.checkpointSaved = $root.knowledgenet.v1.CheckpointSaved.decode(reader, reader.size(), $undefined, _depth + 1, message.checkpointSaved);
                            message.outcome = "checkpointSaved";
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            message.failure = $root.knowledgenet.v1.Failure.decode(reader, reader.size(), $undefined, _depth + 1, message.failure);
                            message.outcome = "failure";
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            message.actorState = $root.knowledgenet.v1.ActorState.decode(reader, reader.size(), $undefined, _depth + 1, message.actorState);
                            message.outcome = "actorState";
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return CommandReply;
        })();

        v1.ActorState = (function() {

            const ActorState = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            ActorState.prototype.state = null;
            ActorState.prototype.progress = null;
            ActorState.prototype.evaluation = null;

            ActorState.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.state != null && $Object.hasOwnProperty.call(message, "state") && message.state !== "")
                    writer.uint32(10).string(message.state);
                if (message.progress != null && $Object.hasOwnProperty.call(message, "progress"))
                    $root.knowledgenet.v1.Progress.encode(message.progress, writer.uint32(18).fork(), _depth + 1).ldelim();
                if (message.evaluation != null && $Object.hasOwnProperty.call(message, "evaluation"))
                    $root.knowledgenet.v1.EvaluationMeasured.encode(message.evaluation, writer.uint32(26).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            ActorState.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.ActorState();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.state = value;
                            else
                                delete message.state;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            message.progress = $root.knowledgenet.v1.Progress.decode(reader, reader.size(), $undefined, _depth + 1, message.progress);
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            message.evaluation = $root.knowledgenet.v1.EvaluationMeasured.decode(reader, reader.size(), $undefined, _depth + 1, message.evaluation);
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return ActorState;
        })();

        v1.Done = (function() {

            const Done = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Done.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Done.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Done();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    reader.skipType(tag & 7, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Done;
        })();

        v1.GradientQuality = (function() {

            const GradientQuality = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            GradientQuality.prototype.cosine = null;
            GradientQuality.prototype.relativeError = null;
            GradientQuality.prototype.updates = null;

            GradientQuality.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.cosine != null && $Object.hasOwnProperty.call(message, "cosine") && !$Object.is(message.cosine, 0))
                    writer.uint32(9).double(message.cosine);
                if (message.relativeError != null && $Object.hasOwnProperty.call(message, "relativeError") && !$Object.is(message.relativeError, 0))
                    writer.uint32(17).double(message.relativeError);
                if (message.updates != null && $Object.hasOwnProperty.call(message, "updates") && (typeof message.updates === "object" ? message.updates.low || message.updates.high : message.updates !== 0))
                    writer.uint32(24).uint64(message.updates);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            GradientQuality.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.GradientQuality();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 1)
                                break;
                            if (!$Object.is(value = reader.double(), 0))
                                message.cosine = value;
                            else
                                delete message.cosine;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 1)
                                break;
                            if (!$Object.is(value = reader.double(), 0))
                                message.relativeError = value;
                            else
                                delete message.relativeError;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.updates = value;
                            else
                                delete message.updates;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return GradientQuality;
        })();

        v1.Progress = (function() {

            const Progress = function (properties) {
                this.drops = {};
                this.skipped = {};
                this.sentBytes = {};
                this.cache = {};
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Progress.prototype.consumed = null;
            Progress.prototype.applied = null;
            Progress.prototype.loss = null;
            Progress.prototype.stalenessSteps = null;
            Progress.prototype.quality = null;
            Progress.prototype.computeMs = null;
            Progress.prototype.receivedBytes = null;
            Progress.prototype.drops = $util.emptyObject;
            Progress.prototype.skipped = $util.emptyObject;
            Progress.prototype.pending = null;
            Progress.prototype.sentBytes = $util.emptyObject;
            Progress.prototype.step = null;
            Progress.prototype.hintLoss = null;
            Progress.prototype.cache = $util.emptyObject;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(Progress.prototype, "_loss", {
                get: $util.oneOfGetter($oneOfFields = ["loss"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(Progress.prototype, "_hintLoss", {
                get: $util.oneOfGetter($oneOfFields = ["hintLoss"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            Progress.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.consumed != null && $Object.hasOwnProperty.call(message, "consumed") && (typeof message.consumed === "object" ? message.consumed.low || message.consumed.high : message.consumed !== 0))
                    writer.uint32(8).uint64(message.consumed);
                if (message.applied != null && $Object.hasOwnProperty.call(message, "applied") && (typeof message.applied === "object" ? message.applied.low || message.applied.high : message.applied !== 0))
                    writer.uint32(16).uint64(message.applied);
                if (message.loss != null && $Object.hasOwnProperty.call(message, "loss"))
                    writer.uint32(25).double(message.loss);
                if (message.stalenessSteps != null && $Object.hasOwnProperty.call(message, "stalenessSteps") && (typeof message.stalenessSteps === "object" ? message.stalenessSteps.low || message.stalenessSteps.high : message.stalenessSteps !== 0))
                    writer.uint32(32).uint64(message.stalenessSteps);
                if (message.quality != null && $Object.hasOwnProperty.call(message, "quality"))
                    $root.knowledgenet.v1.GradientQuality.encode(message.quality, writer.uint32(42).fork(), _depth + 1).ldelim();
                if (message.computeMs != null && $Object.hasOwnProperty.call(message, "computeMs") && !$Object.is(message.computeMs, 0))
                    writer.uint32(49).double(message.computeMs);
                if (message.receivedBytes != null && $Object.hasOwnProperty.call(message, "receivedBytes") && (typeof message.receivedBytes === "object" ? message.receivedBytes.low || message.receivedBytes.high : message.receivedBytes !== 0))
                    writer.uint32(56).uint64(message.receivedBytes);
                if (message.drops != null && $Object.hasOwnProperty.call(message, "drops"))
                    for (let keys = $Object.keys(message.drops), i = 0; i < keys.length; ++i)
                        writer.uint32(66).fork().uint32(10).string(keys[i]).uint32(16).uint64(message.drops[keys[i]]).ldelim();
                if (message.skipped != null && $Object.hasOwnProperty.call(message, "skipped"))
                    for (let keys = $Object.keys(message.skipped), i = 0; i < keys.length; ++i)
                        writer.uint32(74).fork().uint32(10).string(keys[i]).uint32(16).uint64(message.skipped[keys[i]]).ldelim();
                if (message.pending != null && $Object.hasOwnProperty.call(message, "pending") && (typeof message.pending === "object" ? message.pending.low || message.pending.high : message.pending !== 0))
                    writer.uint32(80).uint64(message.pending);
                if (message.sentBytes != null && $Object.hasOwnProperty.call(message, "sentBytes"))
                    for (let keys = $Object.keys(message.sentBytes), i = 0; i < keys.length; ++i)
                        writer.uint32(90).fork().uint32(10).string(keys[i]).uint32(16).uint64(message.sentBytes[keys[i]]).ldelim();
                if (message.step != null && $Object.hasOwnProperty.call(message, "step") && (typeof message.step === "object" ? message.step.low || message.step.high : message.step !== 0))
                    writer.uint32(96).uint64(message.step);
                if (message.hintLoss != null && $Object.hasOwnProperty.call(message, "hintLoss"))
                    writer.uint32(105).double(message.hintLoss);
                if (message.cache != null && $Object.hasOwnProperty.call(message, "cache"))
                    for (let keys = $Object.keys(message.cache), i = 0; i < keys.length; ++i)
                        writer.uint32(114).fork().uint32(10).string(keys[i]).uint32(16).uint64(message.cache[keys[i]]).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Progress.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, key, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Progress();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.consumed = value;
                            else
                                delete message.consumed;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.applied = value;
                            else
                                delete message.applied;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 1)
                                break;
                            message.loss = reader.double();
                            message._loss = "loss";
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.stalenessSteps = value;
                            else
                                delete message.stalenessSteps;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            message.quality = $root.knowledgenet.v1.GradientQuality.decode(reader, reader.size(), $undefined, _depth + 1, message.quality);
                            continue;
                        }
                    case 6: {
                            if (wireType !== 1)
                                break;
                            if (!$Object.is(value = reader.double(), 0))
                                message.computeMs = value;
                            else
                                delete message.computeMs;
                            continue;
                        }
                    case 7: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.receivedBytes = value;
                            else
                                delete message.receivedBytes;
                            continue;
                        }
                    case 8: {
                            if (wireType !== 2)
                                break;
                            if (message.drops === $util.emptyObject)
                                message.drops = {};
                            let end2 = reader.size() + reader.pos;
                            if (end2 > reader.len)
                                throw $RangeError("index out of range");
                            reader.len = end2;
                            key = "";
                            value = 0;
                            while (reader.pos < end2) {
                                let tag2 = reader.tag();
                                wireType = tag2 & 7;
                                switch (tag2 >>>= 3) {
                                case 1:
                                    if (wireType !== 2)
                                        break;
                                    key = reader.stringVerify();
                                    continue;
                                case 2:
                                    if (wireType !== 0)
                                        break;
                                    value = reader.uint64();
                                    continue;
                                }
                                reader.skipType(wireType, _depth, tag2);
                            }
                            if (reader.pos !== end2)
                                throw $RangeError("index out of range");
                            reader.len = end;
                            if (key === "__proto__")
                                $util.makeProp(message.drops, key);
                            message.drops[key] = value;
                            continue;
                        }
                    case 9: {
                            if (wireType !== 2)
                                break;
                            if (message.skipped === $util.emptyObject)
                                message.skipped = {};
                            let end2 = reader.size() + reader.pos;
                            if (end2 > reader.len)
                                throw $RangeError("index out of range");
                            reader.len = end2;
                            key = "";
                            value = 0;
                            while (reader.pos < end2) {
                                let tag2 = reader.tag();
                                wireType = tag2 & 7;
                                switch (tag2 >>>= 3) {
                                case 1:
                                    if (wireType !== 2)
                                        break;
                                    key = reader.stringVerify();
                                    continue;
                                case 2:
                                    if (wireType !== 0)
                                        break;
                                    value = reader.uint64();
                                    continue;
                                }
                                reader.skipType(wireType, _depth, tag2);
                            }
                            if (reader.pos !== end2)
                                throw $RangeError("index out of range");
                            reader.len = end;
                            if (key === "__proto__")
                                $util.makeProp(message.skipped, key);
                            message.skipped[key] = value;
                            continue;
                        }
                    case 10: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.pending = value;
                            else
                                delete message.pending;
                            continue;
                        }
                    case 11: {
                            if (wireType !== 2)
                                break;
                            if (message.sentBytes === $util.emptyObject)
                                message.sentBytes = {};
                            let end2 = reader.size() + reader.pos;
                            if (end2 > reader.len)
                                throw $RangeError("index out of range");
                            reader.len = end2;
                            key = "";
                            value = 0;
                            while (reader.pos < end2) {
                                let tag2 = reader.tag();
                                wireType = tag2 & 7;
                                switch (tag2 >>>= 3) {
                                case 1:
                                    if (wireType !== 2)
                                        break;
                                    key = reader.stringVerify();
                                    continue;
                                case 2:
                                    if (wireType !== 0)
                                        break;
                                    value = reader.uint64();
                                    continue;
                                }
                                reader.skipType(wireType, _depth, tag2);
                            }
                            if (reader.pos !== end2)
                                throw $RangeError("index out of range");
                            reader.len = end;
                            if (key === "__proto__")
                                $util.makeProp(message.sentBytes, key);
                            message.sentBytes[key] = value;
                            continue;
                        }
                    case 12: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.step = value;
                            else
                                delete message.step;
                            continue;
                        }
                    case 13: {
                            if (wireType !== 1)
                                break;
                            message.hintLoss = reader.double();
                            message._hintLoss = "hintLoss";
                            continue;
                        }
                    case 14: {
                            if (wireType !== 2)
                                break;
                            if (message.cache === $util.emptyObject)
                                message.cache = {};
                            let end2 = reader.size() + reader.pos;
                            if (end2 > reader.len)
                                throw $RangeError("index out of range");
                            reader.len = end2;
                            key = "";
                            value = 0;
                            while (reader.pos < end2) {
                                let tag2 = reader.tag();
                                wireType = tag2 & 7;
                                switch (tag2 >>>= 3) {
                                case 1:
                                    if (wireType !== 2)
                                        break;
                                    key = reader.stringVerify();
                                    continue;
                                case 2:
                                    if (wireType !== 0)
                                        break;
                                    value = reader.uint64();
                                    continue;
                                }
                                reader.skipType(wireType, _depth, tag2);
                            }
                            if (reader.pos !== end2)
                                throw $RangeError("index out of range");
                            reader.len = end;
                            if (key === "__proto__")
                                $util.makeProp(message.cache, key);
                            message.cache[key] = value;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Progress;
        })();

        v1.EvaluationMeasured = (function() {

            const EvaluationMeasured = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            EvaluationMeasured.prototype.evaluation = null;
            EvaluationMeasured.prototype.correct = null;
            EvaluationMeasured.prototype.samples = null;
            EvaluationMeasured.prototype.lossSum = null;
            EvaluationMeasured.prototype.agreeing = null;
            EvaluationMeasured.prototype.teacherCorrect = null;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(EvaluationMeasured.prototype, "_agreeing", {
                get: $util.oneOfGetter($oneOfFields = ["agreeing"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(EvaluationMeasured.prototype, "_teacherCorrect", {
                get: $util.oneOfGetter($oneOfFields = ["teacherCorrect"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            EvaluationMeasured.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.evaluation != null && $Object.hasOwnProperty.call(message, "evaluation") && (typeof message.evaluation === "object" ? message.evaluation.low || message.evaluation.high : message.evaluation !== 0))
                    writer.uint32(8).uint64(message.evaluation);
                if (message.correct != null && $Object.hasOwnProperty.call(message, "correct") && (typeof message.correct === "object" ? message.correct.low || message.correct.high : message.correct !== 0))
                    writer.uint32(16).uint64(message.correct);
                if (message.samples != null && $Object.hasOwnProperty.call(message, "samples") && (typeof message.samples === "object" ? message.samples.low || message.samples.high : message.samples !== 0))
                    writer.uint32(24).uint64(message.samples);
                if (message.lossSum != null && $Object.hasOwnProperty.call(message, "lossSum") && !$Object.is(message.lossSum, 0))
                    writer.uint32(33).double(message.lossSum);
                if (message.agreeing != null && $Object.hasOwnProperty.call(message, "agreeing"))
                    writer.uint32(40).uint64(message.agreeing);
                if (message.teacherCorrect != null && $Object.hasOwnProperty.call(message, "teacherCorrect"))
                    writer.uint32(48).uint64(message.teacherCorrect);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            EvaluationMeasured.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.EvaluationMeasured();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.evaluation = value;
                            else
                                delete message.evaluation;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.correct = value;
                            else
                                delete message.correct;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.samples = value;
                            else
                                delete message.samples;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 1)
                                break;
                            if (!$Object.is(value = reader.double(), 0))
                                message.lossSum = value;
                            else
                                delete message.lossSum;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 0)
                                break;
                            message.agreeing = reader.uint64();
                            message._agreeing = "agreeing";
                            continue;
                        }
                    case 6: {
                            if (wireType !== 0)
                                break;
                            message.teacherCorrect = reader.uint64();
                            message._teacherCorrect = "teacherCorrect";
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return EvaluationMeasured;
        })();

        v1.StateEntered = (function() {

            const StateEntered = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            StateEntered.prototype.state = null;

            StateEntered.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.state != null && $Object.hasOwnProperty.call(message, "state") && message.state !== "")
                    writer.uint32(10).string(message.state);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            StateEntered.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.StateEntered();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.state = value;
                            else
                                delete message.state;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return StateEntered;
        })();

        v1.Failure = (function() {

            const Failure = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Failure.prototype.code = null;
            Failure.prototype.message = null;
            Failure.prototype.directive = null;

            Failure.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.code != null && $Object.hasOwnProperty.call(message, "code") && message.code !== "")
                    writer.uint32(10).string(message.code);
                if (message.message != null && $Object.hasOwnProperty.call(message, "message") && message.message !== "")
                    writer.uint32(18).string(message.message);
                if (message.directive != null && $Object.hasOwnProperty.call(message, "directive") && message.directive !== "")
                    writer.uint32(26).string(message.directive);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Failure.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Failure();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.code = value;
                            else
                                delete message.code;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.message = value;
                            else
                                delete message.message;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.directive = value;
                            else
                                delete message.directive;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Failure;
        })();

        v1.CheckpointSaved = (function() {

            const CheckpointSaved = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            CheckpointSaved.prototype.name = null;
            CheckpointSaved.prototype.digest = null;
            CheckpointSaved.prototype.sizeBytes = null;

            CheckpointSaved.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.name != null && $Object.hasOwnProperty.call(message, "name") && message.name !== "")
                    writer.uint32(10).string(message.name);
                if (message.digest != null && $Object.hasOwnProperty.call(message, "digest") && message.digest !== "")
                    writer.uint32(18).string(message.digest);
                if (message.sizeBytes != null && $Object.hasOwnProperty.call(message, "sizeBytes") && (typeof message.sizeBytes === "object" ? message.sizeBytes.low || message.sizeBytes.high : message.sizeBytes !== 0))
                    writer.uint32(24).uint64(message.sizeBytes);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            CheckpointSaved.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.CheckpointSaved();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.name = value;
                            else
                                delete message.name;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.digest = value;
                            else
                                delete message.digest;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.sizeBytes = value;
                            else
                                delete message.sizeBytes;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return CheckpointSaved;
        })();

        v1.SourceSwitched = (function() {

            const SourceSwitched = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            SourceSwitched.prototype.from = null;
            SourceSwitched.prototype.to = null;
            SourceSwitched.prototype.reason = null;

            SourceSwitched.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.from != null && $Object.hasOwnProperty.call(message, "from") && message.from !== "")
                    writer.uint32(10).string(message.from);
                if (message.to != null && $Object.hasOwnProperty.call(message, "to") && message.to !== "")
                    writer.uint32(18).string(message.to);
                if (message.reason != null && $Object.hasOwnProperty.call(message, "reason") && message.reason !== "")
                    writer.uint32(26).string(message.reason);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            SourceSwitched.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.SourceSwitched();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.from = value;
                            else
                                delete message.from;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.to = value;
                            else
                                delete message.to;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.reason = value;
                            else
                                delete message.reason;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return SourceSwitched;
        })();

        v1.TeacherChanged = (function() {

            const TeacherChanged = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            TeacherChanged.prototype.from = null;
            TeacherChanged.prototype.to = null;

            TeacherChanged.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.from != null && $Object.hasOwnProperty.call(message, "from") && (typeof message.from === "object" ? message.from.low || message.from.high : message.from !== 0))
                    writer.uint32(8).uint64(message.from);
                if (message.to != null && $Object.hasOwnProperty.call(message, "to") && (typeof message.to === "object" ? message.to.low || message.to.high : message.to !== 0))
                    writer.uint32(16).uint64(message.to);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            TeacherChanged.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.TeacherChanged();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.from = value;
                            else
                                delete message.from;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.to = value;
                            else
                                delete message.to;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return TeacherChanged;
        })();

        v1.FeederMark = (function() {

            const FeederMark = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            FeederMark.prototype.kind = null;
            FeederMark.prototype.epoch = null;
            FeederMark.prototype.evaluation = null;
            FeederMark.prototype.evaluationSamples = null;

            FeederMark.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.kind != null && $Object.hasOwnProperty.call(message, "kind") && message.kind !== 0)
                    writer.uint32(8).int32(message.kind);
                if (message.epoch != null && $Object.hasOwnProperty.call(message, "epoch") && (typeof message.epoch === "object" ? message.epoch.low || message.epoch.high : message.epoch !== 0))
                    writer.uint32(16).uint64(message.epoch);
                if (message.evaluation != null && $Object.hasOwnProperty.call(message, "evaluation") && (typeof message.evaluation === "object" ? message.evaluation.low || message.evaluation.high : message.evaluation !== 0))
                    writer.uint32(24).uint64(message.evaluation);
                if (message.evaluationSamples != null && $Object.hasOwnProperty.call(message, "evaluationSamples") && (typeof message.evaluationSamples === "object" ? message.evaluationSamples.low || message.evaluationSamples.high : message.evaluationSamples !== 0))
                    writer.uint32(32).uint64(message.evaluationSamples);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            FeederMark.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.FeederMark();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.kind = value;
                            else
                                delete message.kind;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.epoch = value;
                            else
                                delete message.epoch;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.evaluation = value;
                            else
                                delete message.evaluation;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.evaluationSamples = value;
                            else
                                delete message.evaluationSamples;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            FeederMark.Kind = (function() {
                const valuesById = $Object.create(null), values = $Object.create(valuesById);
                values[valuesById[0] = "KIND_UNSPECIFIED"] = 0;
                values[valuesById[1] = "KIND_EVALUATION_PUBLISHED"] = 1;
                values[valuesById[2] = "KIND_EPOCH_ENDED"] = 2;
                values[valuesById[3] = "KIND_PAUSED"] = 3;
                values[valuesById[4] = "KIND_FINISHED"] = 4;
                return values;
            })();

            return FeederMark;
        })();

        v1.HeldRelease = (function() {

            const HeldRelease = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            HeldRelease.prototype.release = null;
            HeldRelease.prototype.state = null;
            HeldRelease.prototype.failure = null;

            HeldRelease.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.release != null && $Object.hasOwnProperty.call(message, "release") && (typeof message.release === "object" ? message.release.low || message.release.high : message.release !== 0))
                    writer.uint32(8).uint64(message.release);
                if (message.state != null && $Object.hasOwnProperty.call(message, "state") && message.state !== 0)
                    writer.uint32(16).int32(message.state);
                if (message.failure != null && $Object.hasOwnProperty.call(message, "failure"))
                    $root.knowledgenet.v1.Failure.encode(message.failure, writer.uint32(26).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            HeldRelease.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.HeldRelease();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.release = value;
                            else
                                delete message.release;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.state = value;
                            else
                                delete message.state;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            message.failure = $root.knowledgenet.v1.Failure.decode(reader, reader.size(), $undefined, _depth + 1, message.failure);
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            HeldRelease.State = (function() {
                const valuesById = $Object.create(null), values = $Object.create(valuesById);
                values[valuesById[0] = "STATE_UNSPECIFIED"] = 0;
                values[valuesById[1] = "STATE_LOADING"] = 1;
                values[valuesById[2] = "STATE_READY"] = 2;
                values[valuesById[3] = "STATE_REFUSED"] = 3;
                return values;
            })();

            return HeldRelease;
        })();

        v1.ReplicaState = (function() {

            const ReplicaState = function (properties) {
                this.held = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            ReplicaState.prototype.instance = null;
            ReplicaState.prototype.slice = null;
            ReplicaState.prototype.slices = null;
            ReplicaState.prototype.state = null;
            ReplicaState.prototype.held = $util.emptyArray;
            ReplicaState.prototype.inFlight = null;
            ReplicaState.prototype.host = null;

            ReplicaState.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.instance != null && $Object.hasOwnProperty.call(message, "instance") && message.instance !== "")
                    writer.uint32(10).string(message.instance);
                if (message.slice != null && $Object.hasOwnProperty.call(message, "slice") && message.slice !== 0)
                    writer.uint32(16).uint32(message.slice);
                if (message.slices != null && $Object.hasOwnProperty.call(message, "slices") && message.slices !== 0)
                    writer.uint32(24).uint32(message.slices);
                if (message.state != null && $Object.hasOwnProperty.call(message, "state") && message.state !== "")
                    writer.uint32(34).string(message.state);
                if (message.held != null && message.held.length)
                    for (let i = 0; i < message.held.length; ++i)
                        $root.knowledgenet.v1.HeldRelease.encode(message.held[i], writer.uint32(42).fork(), _depth + 1).ldelim();
                if (message.inFlight != null && $Object.hasOwnProperty.call(message, "inFlight") && message.inFlight !== 0)
                    writer.uint32(48).uint32(message.inFlight);
                if (message.host != null && $Object.hasOwnProperty.call(message, "host") && message.host !== "")
                    writer.uint32(58).string(message.host);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            ReplicaState.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.ReplicaState();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.instance = value;
                            else
                                delete message.instance;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.slice = value;
                            else
                                delete message.slice;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.slices = value;
                            else
                                delete message.slices;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.state = value;
                            else
                                delete message.state;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            if (!(message.held && message.held.length))
                                message.held = [];
                            message.held.push($root.knowledgenet.v1.HeldRelease.decode(reader, reader.size(), $undefined, _depth + 1));
                            continue;
                        }
                    case 6: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.inFlight = value;
                            else
                                delete message.inFlight;
                            continue;
                        }
                    case 7: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.host = value;
                            else
                                delete message.host;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return ReplicaState;
        })();

        v1.Event = (function() {

            const Event = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Event.prototype.header = null;
            Event.prototype.progress = null;
            Event.prototype.evaluationMeasured = null;
            Event.prototype.stateEntered = null;
            Event.prototype.failure = null;
            Event.prototype.checkpointSaved = null;
            Event.prototype.feederMark = null;
            Event.prototype.sourceSwitched = null;
            Event.prototype.teacherChanged = null;
            Event.prototype.replicaState = null;

            let $oneOfFields;

            $Object.defineProperty(Event.prototype, "fact", {
                get: $util.oneOfGetter($oneOfFields = ["progress", "evaluationMeasured", "stateEntered", "failure", "checkpointSaved", "feederMark", "sourceSwitched", "teacherChanged", "replicaState"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            Event.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.header != null && $Object.hasOwnProperty.call(message, "header"))
                    $root.knowledgenet.v1.Header.encode(message.header, writer.uint32(10).fork(), _depth + 1).ldelim();
                if (message.progress != null && $Object.hasOwnProperty.call(message, "progress"))
                    $root.knowledgenet.v1.Progress.encode(message.progress, writer.uint32(18).fork(), _depth + 1).ldelim();
                if (message.evaluationMeasured != null && $Object.hasOwnProperty.call(message, "evaluationMeasured"))
                    $root.knowledgenet.v1.EvaluationMeasured.encode(message.evaluationMeasured, writer.uint32(26).fork(), _depth + 1).ldelim();
                if (message.stateEntered != null && $Object.hasOwnProperty.call(message, "stateEntered"))
                    $root.knowledgenet.v1.StateEntered.encode(message.stateEntered, writer.uint32(34).fork(), _depth + 1).ldelim();
                if (message.failure != null && $Object.hasOwnProperty.call(message, "failure"))
                    $root.knowledgenet.v1.Failure.encode(message.failure, writer.uint32(42).fork(), _depth + 1).ldelim();
                if (message.checkpointSaved != null && $Object.hasOwnProperty.call(message, "checkpointSaved"))
                    $root.knowledgenet.v1.CheckpointSaved.encode(message.checkpointSaved, writer.uint32(50).fork(), _depth + 1).ldelim();
                if (message.feederMark != null && $Object.hasOwnProperty.call(message, "feederMark"))
                    $root.knowledgenet.v1.FeederMark.encode(message.feederMark, writer.uint32(58).fork(), _depth + 1).ldelim();
                if (message.sourceSwitched != null && $Object.hasOwnProperty.call(message, "sourceSwitched"))
                    $root.knowledgenet.v1.SourceSwitched.encode(message.sourceSwitched, writer.uint32(66).fork(), _depth + 1).ldelim();
                if (message.teacherChanged != null && $Object.hasOwnProperty.call(message, "teacherChanged"))
                    $root.knowledgenet.v1.TeacherChanged.encode(message.teacherChanged, writer.uint32(74).fork(), _depth + 1).ldelim();
                if (message.replicaState != null && $Object.hasOwnProperty.call(message, "replicaState"))
                    $root.knowledgenet.v1.ReplicaState.encode(message.replicaState, writer.uint32(82).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Event.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Event();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            message.header = $root.knowledgenet.v1.Header.decode(reader, reader.size(), $undefined, _depth + 1, message.header);
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            message.progress = $root.knowledgenet.v1.Progress.decode(reader, reader.size(), $undefined, _depth + 1, message.progress);
                            message.fact = "progress";
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            message.evaluationMeasured = $root.knowledgenet.v1.EvaluationMeasured.decode(reader, reader.size(), $undefined, _depth + 1, message.evaluationMeasured);
                            message.fact = "evaluationMeasured";
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            message.stateEntered = $root.knowledgenet.v1.StateEntered.decode(reader, reader.size(), $undefined, _depth + 1, message.stateEntered);
                            message.fact = "stateEntered";
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            message.failure = $root.knowledgenet.v1.Failure.decode(reader, reader.size(), $undefined, _depth + 1, message.failure);
                            message.fact = "failure";
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            message.checkpointSaved = $root.knowledgenet.v1.CheckpointSaved.decode(reader, reader.size(), $undefined, _depth + 1, message.checkpointSaved);
                            message.fact = "checkpointSaved";
                            continue;
                        }
                    case 7: {
                            if (wireType !== 2)
                                break;
                            message.feederMark = $root.knowledgenet.v1.FeederMark.decode(reader, reader.size(), $undefined, _depth + 1, message.feederMark);
                            message.fact = "feederMark";
                            continue;
                        }
                    case 8: {
                            if (wireType !== 2)
                                break;
                            message.sourceSwitched = $root.knowledgenet.v1.SourceSwitched.decode(reader, reader.size(), $undefined, _depth + 1, message.sourceSwitched);
                            message.fact = "sourceSwitched";
                            continue;
                        }
                    case 9: {
                            if (wireType !== 2)
                                break;
                            message.teacherChanged = $root.knowledgenet.v1.TeacherChanged.decode(reader, reader.size(), $undefined, _depth + 1, message.teacherChanged);
                            message.fact = "teacherChanged";
                            continue;
                        }
                    case 10: {
                            if (wireType !== 2)
                                break;
                            message.replicaState = $root.knowledgenet.v1.ReplicaState.decode(reader, reader.size(), $undefined, _depth + 1, message.replicaState);
                            message.fact = "replicaState";
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Event;
        })();

        v1.Header = (function() {

            const Header = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Header.prototype.run = null;
            Header.prototype.sender = null;
            Header.prototype.sequence = null;
            Header.prototype.step = null;
            Header.prototype.version = null;
            Header.prototype.fence = null;

            Header.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.run != null && $Object.hasOwnProperty.call(message, "run") && message.run !== "")
                    writer.uint32(10).string(message.run);
                if (message.sender != null && $Object.hasOwnProperty.call(message, "sender") && message.sender !== "")
                    writer.uint32(18).string(message.sender);
                if (message.sequence != null && $Object.hasOwnProperty.call(message, "sequence") && (typeof message.sequence === "object" ? message.sequence.low || message.sequence.high : message.sequence !== 0))
                    writer.uint32(24).uint64(message.sequence);
                if (message.step != null && $Object.hasOwnProperty.call(message, "step") && (typeof message.step === "object" ? message.step.low || message.step.high : message.step !== 0))
                    writer.uint32(32).uint64(message.step);
                if (message.version != null && $Object.hasOwnProperty.call(message, "version") && (typeof message.version === "object" ? message.version.low || message.version.high : message.version !== 0))
                    writer.uint32(40).uint64(message.version);
                if (message.fence != null && $Object.hasOwnProperty.call(message, "fence") && (typeof message.fence === "object" ? message.fence.low || message.fence.high : message.fence !== 0))
                    writer.uint32(48).uint64(message.fence);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Header.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Header();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.run = value;
                            else
                                delete message.run;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.sender = value;
                            else
                                delete message.sender;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.sequence = value;
                            else
                                delete message.sequence;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.step = value;
                            else
                                delete message.step;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.version = value;
                            else
                                delete message.version;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.fence = value;
                            else
                                delete message.fence;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Header;
        })();

        v1.Phase = (function() {
            const valuesById = $Object.create(null), values = $Object.create(valuesById);
            values[valuesById[0] = "PHASE_UNSPECIFIED"] = 0;
            values[valuesById[1] = "PHASE_TRAIN"] = 1;
            values[valuesById[2] = "PHASE_EVALUATE"] = 2;
            values[valuesById[3] = "PHASE_RECALIBRATE"] = 3;
            return values;
        })();

        v1.BatchProvenance = (function() {

            const BatchProvenance = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            BatchProvenance.prototype.samples = null;
            BatchProvenance.prototype.view = null;
            BatchProvenance.prototype.seed = null;
            BatchProvenance.prototype.teacher = null;

            BatchProvenance.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.samples != null && $Object.hasOwnProperty.call(message, "samples") && message.samples.length)
                    writer.uint32(10).bytes(message.samples);
                if (message.view != null && $Object.hasOwnProperty.call(message, "view") && message.view !== 0)
                    writer.uint32(16).uint32(message.view);
                if (message.seed != null && $Object.hasOwnProperty.call(message, "seed") && (typeof message.seed === "object" ? message.seed.low || message.seed.high : message.seed !== 0))
                    writer.uint32(24).uint64(message.seed);
                if (message.teacher != null && $Object.hasOwnProperty.call(message, "teacher") && (typeof message.teacher === "object" ? message.teacher.low || message.teacher.high : message.teacher !== 0))
                    writer.uint32(32).uint64(message.teacher);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            BatchProvenance.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.BatchProvenance();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.samples = value;
                            else
                                delete message.samples;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.view = value;
                            else
                                delete message.view;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.seed = value;
                            else
                                delete message.seed;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.teacher = value;
                            else
                                delete message.teacher;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return BatchProvenance;
        })();

        v1.Activation = (function() {

            const Activation = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Activation.prototype.header = null;
            Activation.prototype.phase = null;
            Activation.prototype.tensor = null;
            Activation.prototype.labels = null;
            Activation.prototype.evaluation = null;
            Activation.prototype.provenance = null;

            Activation.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.header != null && $Object.hasOwnProperty.call(message, "header"))
                    $root.knowledgenet.v1.Header.encode(message.header, writer.uint32(10).fork(), _depth + 1).ldelim();
                if (message.phase != null && $Object.hasOwnProperty.call(message, "phase") && message.phase !== 0)
                    writer.uint32(16).int32(message.phase);
                if (message.tensor != null && $Object.hasOwnProperty.call(message, "tensor"))
                    $root.knowledgenet.v1.Tensor.encode(message.tensor, writer.uint32(26).fork(), _depth + 1).ldelim();
                if (message.labels != null && $Object.hasOwnProperty.call(message, "labels"))
                    $root.knowledgenet.v1.Tensor.encode(message.labels, writer.uint32(34).fork(), _depth + 1).ldelim();
                if (message.evaluation != null && $Object.hasOwnProperty.call(message, "evaluation") && (typeof message.evaluation === "object" ? message.evaluation.low || message.evaluation.high : message.evaluation !== 0))
                    writer.uint32(40).uint64(message.evaluation);
                if (message.provenance != null && $Object.hasOwnProperty.call(message, "provenance"))
                    $root.knowledgenet.v1.BatchProvenance.encode(message.provenance, writer.uint32(50).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Activation.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Activation();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            message.header = $root.knowledgenet.v1.Header.decode(reader, reader.size(), $undefined, _depth + 1, message.header);
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.phase = value;
                            else
                                delete message.phase;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            message.tensor = $root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1, message.tensor);
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            message.labels = $root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1, message.labels);
                            continue;
                        }
                    case 5: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.evaluation = value;
                            else
                                delete message.evaluation;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            message.provenance = $root.knowledgenet.v1.BatchProvenance.decode(reader, reader.size(), $undefined, _depth + 1, message.provenance);
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Activation;
        })();

        v1.GradientOrigin = (function() {
            const valuesById = $Object.create(null), values = $Object.create(valuesById);
            values[valuesById[0] = "GRADIENT_ORIGIN_UNSPECIFIED"] = 0;
            values[valuesById[1] = "GRADIENT_ORIGIN_TRUE"] = 1;
            values[valuesById[2] = "GRADIENT_ORIGIN_BOOTSTRAPPED"] = 2;
            values[valuesById[3] = "GRADIENT_ORIGIN_SYNTHETIC"] = 3;
            return values;
        })();

        v1.Gradient = (function() {

            const Gradient = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Gradient.prototype.header = null;
            Gradient.prototype.origin = null;
            Gradient.prototype.tensor = null;

            Gradient.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.header != null && $Object.hasOwnProperty.call(message, "header"))
                    $root.knowledgenet.v1.Header.encode(message.header, writer.uint32(10).fork(), _depth + 1).ldelim();
                if (message.origin != null && $Object.hasOwnProperty.call(message, "origin") && message.origin !== 0)
                    writer.uint32(16).int32(message.origin);
                if (message.tensor != null && $Object.hasOwnProperty.call(message, "tensor"))
                    $root.knowledgenet.v1.Tensor.encode(message.tensor, writer.uint32(26).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Gradient.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Gradient();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            message.header = $root.knowledgenet.v1.Header.decode(reader, reader.size(), $undefined, _depth + 1, message.header);
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.origin = value;
                            else
                                delete message.origin;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            message.tensor = $root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1, message.tensor);
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Gradient;
        })();

        v1.Gap = (function() {

            const Gap = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Gap.prototype.header = null;
            Gap.prototype.first = null;

            Gap.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.header != null && $Object.hasOwnProperty.call(message, "header"))
                    $root.knowledgenet.v1.Header.encode(message.header, writer.uint32(10).fork(), _depth + 1).ldelim();
                if (message.first != null && $Object.hasOwnProperty.call(message, "first") && (typeof message.first === "object" ? message.first.low || message.first.high : message.first !== 0))
                    writer.uint32(16).uint64(message.first);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Gap.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Gap();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            message.header = $root.knowledgenet.v1.Header.decode(reader, reader.size(), $undefined, _depth + 1, message.header);
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.first = value;
                            else
                                delete message.first;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Gap;
        })();

        v1.DType = (function() {
            const valuesById = $Object.create(null), values = $Object.create(valuesById);
            values[valuesById[0] = "DTYPE_UNSPECIFIED"] = 0;
            values[valuesById[1] = "DTYPE_F32"] = 1;
            values[valuesById[2] = "DTYPE_I32"] = 2;
            values[valuesById[3] = "DTYPE_U8"] = 3;
            return values;
        })();

        v1.Codec = (function() {
            const valuesById = $Object.create(null), values = $Object.create(valuesById);
            values[valuesById[0] = "CODEC_UNSPECIFIED"] = 0;
            values[valuesById[1] = "CODEC_RAW"] = 1;
            values[valuesById[2] = "CODEC_BF16"] = 2;
            values[valuesById[3] = "CODEC_INT8_CHANNEL"] = 3;
            values[valuesById[4] = "CODEC_INT8_BLOCK"] = 4;
            return values;
        })();

        v1.Tensor = (function() {

            const Tensor = function (properties) {
                this.shape = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Tensor.prototype.dtype = null;
            Tensor.prototype.shape = $util.emptyArray;
            Tensor.prototype.codec = null;
            Tensor.prototype.data = null;
            Tensor.prototype.scales = null;
            Tensor.prototype.blockElements = null;

            Tensor.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.dtype != null && $Object.hasOwnProperty.call(message, "dtype") && message.dtype !== 0)
                    writer.uint32(8).int32(message.dtype);
                if (message.shape != null && message.shape.length)
                    writer.uint32(18).uint32s(message.shape);
                if (message.codec != null && $Object.hasOwnProperty.call(message, "codec") && message.codec !== 0)
                    writer.uint32(24).int32(message.codec);
                if (message.data != null && $Object.hasOwnProperty.call(message, "data") && message.data.length)
                    writer.uint32(34).bytes(message.data);
                if (message.scales != null && $Object.hasOwnProperty.call(message, "scales") && message.scales.length)
                    writer.uint32(42).bytes(message.scales);
                if (message.blockElements != null && $Object.hasOwnProperty.call(message, "blockElements") && message.blockElements !== 0)
                    writer.uint32(48).uint32(message.blockElements);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Tensor.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Tensor();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.dtype = value;
                            else
                                delete message.dtype;
                            continue;
                        }
                    case 2: {
                            if (wireType === 2) {
                                if (!(message.shape && message.shape.length))
                                    message.shape = [];
                                reader.uint32s(message.shape);
                                continue;
                            }
                            if (wireType !== 0)
                                break;
                            if (!(message.shape && message.shape.length))
                                message.shape = [];
                            message.shape.push(reader.uint32());
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.codec = value;
                            else
                                delete message.codec;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.data = value;
                            else
                                delete message.data;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.scales = value;
                            else
                                delete message.scales;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.blockElements = value;
                            else
                                delete message.blockElements;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Tensor;
        })();

        v1.Chunk = (function() {

            const Chunk = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Chunk.prototype.transferId = null;
            Chunk.prototype.index = null;
            Chunk.prototype.count = null;
            Chunk.prototype.totalBytes = null;
            Chunk.prototype.digest = null;
            Chunk.prototype.payload = null;

            Chunk.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.transferId != null && $Object.hasOwnProperty.call(message, "transferId") && message.transferId.length)
                    writer.uint32(10).bytes(message.transferId);
                if (message.index != null && $Object.hasOwnProperty.call(message, "index") && message.index !== 0)
                    writer.uint32(16).uint32(message.index);
                if (message.count != null && $Object.hasOwnProperty.call(message, "count") && message.count !== 0)
                    writer.uint32(24).uint32(message.count);
                if (message.totalBytes != null && $Object.hasOwnProperty.call(message, "totalBytes") && (typeof message.totalBytes === "object" ? message.totalBytes.low || message.totalBytes.high : message.totalBytes !== 0))
                    writer.uint32(32).uint64(message.totalBytes);
                if (message.digest != null && $Object.hasOwnProperty.call(message, "digest") && message.digest.length)
                    writer.uint32(42).bytes(message.digest);
                if (message.payload != null && $Object.hasOwnProperty.call(message, "payload") && message.payload.length)
                    writer.uint32(50).bytes(message.payload);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Chunk.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Chunk();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.transferId = value;
                            else
                                delete message.transferId;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.index = value;
                            else
                                delete message.index;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.count = value;
                            else
                                delete message.count;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.totalBytes = value;
                            else
                                delete message.totalBytes;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.digest = value;
                            else
                                delete message.digest;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.payload = value;
                            else
                                delete message.payload;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Chunk;
        })();

        v1.Frame = (function() {

            const Frame = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Frame.prototype.activation = null;
            Frame.prototype.gradient = null;
            Frame.prototype.chunk = null;
            Frame.prototype.gap = null;
            Frame.prototype.stageBatch = null;
            Frame.prototype.stageResult = null;

            let $oneOfFields;

            $Object.defineProperty(Frame.prototype, "content", {
                get: $util.oneOfGetter($oneOfFields = ["activation", "gradient", "chunk", "gap", "stageBatch", "stageResult"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            Frame.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.activation != null && $Object.hasOwnProperty.call(message, "activation"))
                    $root.knowledgenet.v1.Activation.encode(message.activation, writer.uint32(10).fork(), _depth + 1).ldelim();
                if (message.gradient != null && $Object.hasOwnProperty.call(message, "gradient"))
                    $root.knowledgenet.v1.Gradient.encode(message.gradient, writer.uint32(18).fork(), _depth + 1).ldelim();
                if (message.chunk != null && $Object.hasOwnProperty.call(message, "chunk"))
                    $root.knowledgenet.v1.Chunk.encode(message.chunk, writer.uint32(26).fork(), _depth + 1).ldelim();
                if (message.gap != null && $Object.hasOwnProperty.call(message, "gap"))
                    $root.knowledgenet.v1.Gap.encode(message.gap, writer.uint32(34).fork(), _depth + 1).ldelim();
                if (message.stageBatch != null && $Object.hasOwnProperty.call(message, "stageBatch"))
                    $root.knowledgenet.v1.StageBatch.encode(message.stageBatch, writer.uint32(42).fork(), _depth + 1).ldelim();
                if (message.stageResult != null && $Object.hasOwnProperty.call(message, "stageResult"))
                    $root.knowledgenet.v1.StageResult.encode(message.stageResult, writer.uint32(50).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Frame.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Frame();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            message.activation = $root.knowledgenet.v1.Activation.decode(reader, reader.size(), $undefined, _depth + 1, message.activation);
                            message.content = "activation";
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            message.gradient = $root.knowledgenet.v1.Gradient.decode(reader, reader.size(), $undefined, _depth + 1, message.gradient);
                            message.content = "gradient";
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            message.chunk = $root.knowledgenet.v1.Chunk.decode(reader, reader.size(), $undefined, _depth + 1, message.chunk);
                            message.content = "chunk";
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            message.gap = $root.knowledgenet.v1.Gap.decode(reader, reader.size(), $undefined, _depth + 1, message.gap);
                            message.content = "gap";
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            message.stageBatch = $root.knowledgenet.v1.StageBatch.decode(reader, reader.size(), $undefined, _depth + 1, message.stageBatch);
                            message.content = "stageBatch";
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            message.stageResult = $root.knowledgenet.v1.StageResult.decode(reader, reader.size(), $undefined, _depth + 1, message.stageResult);
                            message.content = "stageResult";
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Frame;
        })();

        v1.Priority = (function() {
            const valuesById = $Object.create(null), values = $Object.create(valuesById);
            values[valuesById[0] = "PRIORITY_UNSPECIFIED"] = 0;
            values[valuesById[1] = "PRIORITY_INTERACTIVE"] = 1;
            values[valuesById[2] = "PRIORITY_BULK"] = 2;
            return values;
        })();

        v1.InferRequest = (function() {

            const InferRequest = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            InferRequest.prototype.id = null;
            InferRequest.prototype.release = null;
            InferRequest.prototype.remainingMs = null;
            InferRequest.prototype.priority = null;
            InferRequest.prototype.client = null;
            InferRequest.prototype.input = null;
            InferRequest.prototype.observe = null;

            InferRequest.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.id != null && $Object.hasOwnProperty.call(message, "id") && message.id !== "")
                    writer.uint32(10).string(message.id);
                if (message.release != null && $Object.hasOwnProperty.call(message, "release") && (typeof message.release === "object" ? message.release.low || message.release.high : message.release !== 0))
                    writer.uint32(16).uint64(message.release);
                if (message.remainingMs != null && $Object.hasOwnProperty.call(message, "remainingMs") && (typeof message.remainingMs === "object" ? message.remainingMs.low || message.remainingMs.high : message.remainingMs !== 0))
                    writer.uint32(24).uint64(message.remainingMs);
                if (message.priority != null && $Object.hasOwnProperty.call(message, "priority") && message.priority !== 0)
                    writer.uint32(32).int32(message.priority);
                if (message.client != null && $Object.hasOwnProperty.call(message, "client") && message.client !== "")
                    writer.uint32(42).string(message.client);
                if (message.input != null && $Object.hasOwnProperty.call(message, "input"))
                    $root.knowledgenet.v1.Tensor.encode(message.input, writer.uint32(50).fork(), _depth + 1).ldelim();
                if (message.observe != null && $Object.hasOwnProperty.call(message, "observe") && message.observe !== false)
                    writer.uint32(56).bool(message.observe);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            InferRequest.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.InferRequest();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.id = value;
                            else
                                delete message.id;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.release = value;
                            else
                                delete message.release;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.remainingMs = value;
                            else
                                delete message.remainingMs;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.priority = value;
                            else
                                delete message.priority;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.client = value;
                            else
                                delete message.client;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            message.input = $root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1, message.input);
                            continue;
                        }
                    case 7: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.bool())
                                message.observe = value;
                            else
                                delete message.observe;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return InferRequest;
        })();

        v1.InferReply = (function() {

            const InferReply = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            InferReply.prototype.id = null;
            InferReply.prototype.release = null;
            InferReply.prototype.batch = null;
            InferReply.prototype.logits = null;
            InferReply.prototype.failure = null;
            InferReply.prototype.retryAfterMs = null;

            InferReply.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.id != null && $Object.hasOwnProperty.call(message, "id") && message.id !== "")
                    writer.uint32(10).string(message.id);
                if (message.release != null && $Object.hasOwnProperty.call(message, "release") && (typeof message.release === "object" ? message.release.low || message.release.high : message.release !== 0))
                    writer.uint32(16).uint64(message.release);
                if (message.batch != null && $Object.hasOwnProperty.call(message, "batch") && message.batch !== 0)
                    writer.uint32(24).uint32(message.batch);
                if (message.logits != null && $Object.hasOwnProperty.call(message, "logits"))
                    $root.knowledgenet.v1.Tensor.encode(message.logits, writer.uint32(34).fork(), _depth + 1).ldelim();
                if (message.failure != null && $Object.hasOwnProperty.call(message, "failure"))
                    $root.knowledgenet.v1.Failure.encode(message.failure, writer.uint32(42).fork(), _depth + 1).ldelim();
                if (message.retryAfterMs != null && $Object.hasOwnProperty.call(message, "retryAfterMs") && (typeof message.retryAfterMs === "object" ? message.retryAfterMs.low || message.retryAfterMs.high : message.retryAfterMs !== 0))
                    writer.uint32(48).uint64(message.retryAfterMs);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            InferReply.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.InferReply();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.id = value;
                            else
                                delete message.id;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.release = value;
                            else
                                delete message.release;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.batch = value;
                            else
                                delete message.batch;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            message.logits = $root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1, message.logits);
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            message.failure = $root.knowledgenet.v1.Failure.decode(reader, reader.size(), $undefined, _depth + 1, message.failure);
                            continue;
                        }
                    case 6: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.retryAfterMs = value;
                            else
                                delete message.retryAfterMs;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return InferReply;
        })();

        v1.StageBatch = (function() {

            const StageBatch = function (properties) {
                this.route = [];
                this.computeUs = [];
                this.nonFinite = [];
                this.activations = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            StageBatch.prototype.batch = null;
            StageBatch.prototype.release = null;
            StageBatch.prototype.remainingMs = null;
            StageBatch.prototype.route = $util.emptyArray;
            StageBatch.prototype.gateway = null;
            StageBatch.prototype.tensor = null;
            StageBatch.prototype.computeUs = $util.emptyArray;
            StageBatch.prototype.nonFinite = $util.emptyArray;
            StageBatch.prototype.wantsActivations = null;
            StageBatch.prototype.activations = $util.emptyArray;

            StageBatch.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.batch != null && $Object.hasOwnProperty.call(message, "batch") && (typeof message.batch === "object" ? message.batch.low || message.batch.high : message.batch !== 0))
                    writer.uint32(8).uint64(message.batch);
                if (message.release != null && $Object.hasOwnProperty.call(message, "release") && (typeof message.release === "object" ? message.release.low || message.release.high : message.release !== 0))
                    writer.uint32(16).uint64(message.release);
                if (message.remainingMs != null && $Object.hasOwnProperty.call(message, "remainingMs") && (typeof message.remainingMs === "object" ? message.remainingMs.low || message.remainingMs.high : message.remainingMs !== 0))
                    writer.uint32(24).uint64(message.remainingMs);
                if (message.route != null && message.route.length)
                    for (let i = 0; i < message.route.length; ++i)
                        writer.uint32(34).string(message.route[i]);
                if (message.gateway != null && $Object.hasOwnProperty.call(message, "gateway") && message.gateway !== "")
                    writer.uint32(42).string(message.gateway);
                if (message.tensor != null && $Object.hasOwnProperty.call(message, "tensor"))
                    $root.knowledgenet.v1.Tensor.encode(message.tensor, writer.uint32(50).fork(), _depth + 1).ldelim();
                if (message.computeUs != null && message.computeUs.length)
                    writer.uint32(58).uint32s(message.computeUs);
                if (message.nonFinite != null && message.nonFinite.length)
                    writer.uint32(66).uint32s(message.nonFinite);
                if (message.wantsActivations != null && $Object.hasOwnProperty.call(message, "wantsActivations") && message.wantsActivations !== false)
                    writer.uint32(72).bool(message.wantsActivations);
                if (message.activations != null && message.activations.length)
                    for (let i = 0; i < message.activations.length; ++i)
                        $root.knowledgenet.v1.Tensor.encode(message.activations[i], writer.uint32(82).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            StageBatch.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.StageBatch();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.batch = value;
                            else
                                delete message.batch;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.release = value;
                            else
                                delete message.release;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.remainingMs = value;
                            else
                                delete message.remainingMs;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            if (!(message.route && message.route.length))
                                message.route = [];
                            message.route.push(reader.stringVerify());
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.gateway = value;
                            else
                                delete message.gateway;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            message.tensor = $root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1, message.tensor);
                            continue;
                        }
                    case 7: {
                            if (wireType === 2) {
                                if (!(message.computeUs && message.computeUs.length))
                                    message.computeUs = [];
                                reader.uint32s(message.computeUs);
                                continue;
                            }
                            if (wireType !== 0)
                                break;
                            if (!(message.computeUs && message.computeUs.length))
                                message.computeUs = [];
                            message.computeUs.push(reader.uint32());
                            continue;
                        }
                    case 8: {
                            if (wireType === 2) {
                                if (!(message.nonFinite && message.nonFinite.length))
                                    message.nonFinite = [];
                                reader.uint32s(message.nonFinite);
                                continue;
                            }
                            if (wireType !== 0)
                                break;
                            if (!(message.nonFinite && message.nonFinite.length))
                                message.nonFinite = [];
                            message.nonFinite.push(reader.uint32());
                            continue;
                        }
                    case 9: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.bool())
                                message.wantsActivations = value;
                            else
                                delete message.wantsActivations;
                            continue;
                        }
                    case 10: {
                            if (wireType !== 2)
                                break;
                            if (!(message.activations && message.activations.length))
                                message.activations = [];
                            message.activations.push($root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1));
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return StageBatch;
        })();

        v1.StageResult = (function() {

            const StageResult = function (properties) {
                this.nonFinite = [];
                this.computeUs = [];
                this.activations = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            StageResult.prototype.batch = null;
            StageResult.prototype.release = null;
            StageResult.prototype.sender = null;
            StageResult.prototype.logits = null;
            StageResult.prototype.nonFinite = $util.emptyArray;
            StageResult.prototype.failure = null;
            StageResult.prototype.computeUs = $util.emptyArray;
            StageResult.prototype.activations = $util.emptyArray;

            StageResult.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.batch != null && $Object.hasOwnProperty.call(message, "batch") && (typeof message.batch === "object" ? message.batch.low || message.batch.high : message.batch !== 0))
                    writer.uint32(8).uint64(message.batch);
                if (message.release != null && $Object.hasOwnProperty.call(message, "release") && (typeof message.release === "object" ? message.release.low || message.release.high : message.release !== 0))
                    writer.uint32(16).uint64(message.release);
                if (message.sender != null && $Object.hasOwnProperty.call(message, "sender") && message.sender !== "")
                    writer.uint32(26).string(message.sender);
                if (message.logits != null && $Object.hasOwnProperty.call(message, "logits"))
                    $root.knowledgenet.v1.Tensor.encode(message.logits, writer.uint32(34).fork(), _depth + 1).ldelim();
                if (message.nonFinite != null && message.nonFinite.length)
                    writer.uint32(42).uint32s(message.nonFinite);
                if (message.failure != null && $Object.hasOwnProperty.call(message, "failure"))
                    $root.knowledgenet.v1.Failure.encode(message.failure, writer.uint32(50).fork(), _depth + 1).ldelim();
                if (message.computeUs != null && message.computeUs.length)
                    writer.uint32(58).uint32s(message.computeUs);
                if (message.activations != null && message.activations.length)
                    for (let i = 0; i < message.activations.length; ++i)
                        $root.knowledgenet.v1.Tensor.encode(message.activations[i], writer.uint32(66).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            StageResult.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.StageResult();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.batch = value;
                            else
                                delete message.batch;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.release = value;
                            else
                                delete message.release;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.sender = value;
                            else
                                delete message.sender;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            message.logits = $root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1, message.logits);
                            continue;
                        }
                    case 5: {
                            if (wireType === 2) {
                                if (!(message.nonFinite && message.nonFinite.length))
                                    message.nonFinite = [];
                                reader.uint32s(message.nonFinite);
                                continue;
                            }
                            if (wireType !== 0)
                                break;
                            if (!(message.nonFinite && message.nonFinite.length))
                                message.nonFinite = [];
                            message.nonFinite.push(reader.uint32());
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            message.failure = $root.knowledgenet.v1.Failure.decode(reader, reader.size(), $undefined, _depth + 1, message.failure);
                            continue;
                        }
                    case 7: {
                            if (wireType === 2) {
                                if (!(message.computeUs && message.computeUs.length))
                                    message.computeUs = [];
                                reader.uint32s(message.computeUs);
                                continue;
                            }
                            if (wireType !== 0)
                                break;
                            if (!(message.computeUs && message.computeUs.length))
                                message.computeUs = [];
                            message.computeUs.push(reader.uint32());
                            continue;
                        }
                    case 8: {
                            if (wireType !== 2)
                                break;
                            if (!(message.activations && message.activations.length))
                                message.activations = [];
                            message.activations.push($root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1));
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return StageResult;
        })();

        v1.ServingPressure = (function() {

            const ServingPressure = function (properties) {
                this.hosts = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            ServingPressure.prototype.model = null;
            ServingPressure.prototype.queueMs = null;
            ServingPressure.prototype.targetMs = null;
            ServingPressure.prototype.hosts = $util.emptyArray;

            ServingPressure.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.model != null && $Object.hasOwnProperty.call(message, "model") && message.model !== "")
                    writer.uint32(10).string(message.model);
                if (message.queueMs != null && $Object.hasOwnProperty.call(message, "queueMs") && !$Object.is(message.queueMs, 0))
                    writer.uint32(17).double(message.queueMs);
                if (message.targetMs != null && $Object.hasOwnProperty.call(message, "targetMs") && !$Object.is(message.targetMs, 0))
                    writer.uint32(25).double(message.targetMs);
                if (message.hosts != null && message.hosts.length)
                    for (let i = 0; i < message.hosts.length; ++i)
                        writer.uint32(34).string(message.hosts[i]);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            ServingPressure.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.ServingPressure();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.model = value;
                            else
                                delete message.model;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 1)
                                break;
                            if (!$Object.is(value = reader.double(), 0))
                                message.queueMs = value;
                            else
                                delete message.queueMs;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 1)
                                break;
                            if (!$Object.is(value = reader.double(), 0))
                                message.targetMs = value;
                            else
                                delete message.targetMs;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            if (!(message.hosts && message.hosts.length))
                                message.hosts = [];
                            message.hosts.push(reader.stringVerify());
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return ServingPressure;
        })();

        v1.Stratum = (function() {
            const valuesById = $Object.create(null), values = $Object.create(valuesById);
            values[valuesById[0] = "STRATUM_UNSPECIFIED"] = 0;
            values[valuesById[1] = "STRATUM_UNIFORM"] = 1;
            values[valuesById[2] = "STRATUM_INTERESTING"] = 2;
            return values;
        })();

        v1.LiveInputs = (function() {

            const LiveInputs = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            LiveInputs.prototype.model = null;
            LiveInputs.prototype.release = null;
            LiveInputs.prototype.input = null;
            LiveInputs.prototype.logits = null;
            LiveInputs.prototype.candidateLogits = null;
            LiveInputs.prototype.candidateRelease = null;

            LiveInputs.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.model != null && $Object.hasOwnProperty.call(message, "model") && message.model !== "")
                    writer.uint32(10).string(message.model);
                if (message.release != null && $Object.hasOwnProperty.call(message, "release") && (typeof message.release === "object" ? message.release.low || message.release.high : message.release !== 0))
                    writer.uint32(16).uint64(message.release);
                if (message.input != null && $Object.hasOwnProperty.call(message, "input"))
                    $root.knowledgenet.v1.Tensor.encode(message.input, writer.uint32(26).fork(), _depth + 1).ldelim();
                if (message.logits != null && $Object.hasOwnProperty.call(message, "logits"))
                    $root.knowledgenet.v1.Tensor.encode(message.logits, writer.uint32(34).fork(), _depth + 1).ldelim();
                if (message.candidateLogits != null && $Object.hasOwnProperty.call(message, "candidateLogits"))
                    $root.knowledgenet.v1.Tensor.encode(message.candidateLogits, writer.uint32(42).fork(), _depth + 1).ldelim();
                if (message.candidateRelease != null && $Object.hasOwnProperty.call(message, "candidateRelease") && (typeof message.candidateRelease === "object" ? message.candidateRelease.low || message.candidateRelease.high : message.candidateRelease !== 0))
                    writer.uint32(48).uint64(message.candidateRelease);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            LiveInputs.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.LiveInputs();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.model = value;
                            else
                                delete message.model;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.release = value;
                            else
                                delete message.release;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            message.input = $root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1, message.input);
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            message.logits = $root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1, message.logits);
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            message.candidateLogits = $root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1, message.candidateLogits);
                            continue;
                        }
                    case 6: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.candidateRelease = value;
                            else
                                delete message.candidateRelease;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return LiveInputs;
        })();

        v1.Interest = (function() {

            const Interest = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            Interest.prototype.disagreement = null;
            Interest.prototype.uncertainty = null;
            Interest.prototype.novelty = null;

            Interest.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.disagreement != null && $Object.hasOwnProperty.call(message, "disagreement") && !$Object.is(message.disagreement, 0))
                    writer.uint32(9).double(message.disagreement);
                if (message.uncertainty != null && $Object.hasOwnProperty.call(message, "uncertainty") && !$Object.is(message.uncertainty, 0))
                    writer.uint32(17).double(message.uncertainty);
                if (message.novelty != null && $Object.hasOwnProperty.call(message, "novelty") && !$Object.is(message.novelty, 0))
                    writer.uint32(25).double(message.novelty);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            Interest.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.Interest();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 1)
                                break;
                            if (!$Object.is(value = reader.double(), 0))
                                message.disagreement = value;
                            else
                                delete message.disagreement;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 1)
                                break;
                            if (!$Object.is(value = reader.double(), 0))
                                message.uncertainty = value;
                            else
                                delete message.uncertainty;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 1)
                                break;
                            if (!$Object.is(value = reader.double(), 0))
                                message.novelty = value;
                            else
                                delete message.novelty;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return Interest;
        })();

        v1.ObservedInput = (function() {

            const ObservedInput = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            ObservedInput.prototype.model = null;
            ObservedInput.prototype.observer = null;
            ObservedInput.prototype.epoch = null;
            ObservedInput.prototype.number = null;
            ObservedInput.prototype.atMs = null;
            ObservedInput.prototype.expiresAtMs = null;
            ObservedInput.prototype.release = null;
            ObservedInput.prototype.stratum = null;
            ObservedInput.prototype.inclusion = null;
            ObservedInput.prototype.weight = null;
            ObservedInput.prototype.interest = null;
            ObservedInput.prototype.input = null;
            ObservedInput.prototype.logits = null;
            ObservedInput.prototype.candidate = null;
            ObservedInput.prototype.disagrees = null;
            ObservedInput.prototype.compared = null;
            ObservedInput.prototype.disagreements = null;

            ObservedInput.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.model != null && $Object.hasOwnProperty.call(message, "model") && message.model !== "")
                    writer.uint32(10).string(message.model);
                if (message.observer != null && $Object.hasOwnProperty.call(message, "observer") && message.observer !== "")
                    writer.uint32(18).string(message.observer);
                if (message.epoch != null && $Object.hasOwnProperty.call(message, "epoch") && message.epoch !== "")
                    writer.uint32(26).string(message.epoch);
                if (message.number != null && $Object.hasOwnProperty.call(message, "number") && (typeof message.number === "object" ? message.number.low || message.number.high : message.number !== 0))
                    writer.uint32(32).uint64(message.number);
                if (message.atMs != null && $Object.hasOwnProperty.call(message, "atMs") && (typeof message.atMs === "object" ? message.atMs.low || message.atMs.high : message.atMs !== 0))
                    writer.uint32(40).uint64(message.atMs);
                if (message.expiresAtMs != null && $Object.hasOwnProperty.call(message, "expiresAtMs") && (typeof message.expiresAtMs === "object" ? message.expiresAtMs.low || message.expiresAtMs.high : message.expiresAtMs !== 0))
                    writer.uint32(48).uint64(message.expiresAtMs);
                if (message.release != null && $Object.hasOwnProperty.call(message, "release") && (typeof message.release === "object" ? message.release.low || message.release.high : message.release !== 0))
                    writer.uint32(56).uint64(message.release);
                if (message.stratum != null && $Object.hasOwnProperty.call(message, "stratum") && message.stratum !== 0)
                    writer.uint32(64).int32(message.stratum);
                if (message.inclusion != null && $Object.hasOwnProperty.call(message, "inclusion") && !$Object.is(message.inclusion, 0))
                    writer.uint32(73).double(message.inclusion);
                if (message.weight != null && $Object.hasOwnProperty.call(message, "weight") && !$Object.is(message.weight, 0))
                    writer.uint32(81).double(message.weight);
                if (message.interest != null && $Object.hasOwnProperty.call(message, "interest"))
                    $root.knowledgenet.v1.Interest.encode(message.interest, writer.uint32(90).fork(), _depth + 1).ldelim();
                if (message.input != null && $Object.hasOwnProperty.call(message, "input"))
                    $root.knowledgenet.v1.Tensor.encode(message.input, writer.uint32(98).fork(), _depth + 1).ldelim();
                if (message.logits != null && $Object.hasOwnProperty.call(message, "logits"))
                    $root.knowledgenet.v1.Tensor.encode(message.logits, writer.uint32(106).fork(), _depth + 1).ldelim();
                if (message.candidate != null && $Object.hasOwnProperty.call(message, "candidate") && (typeof message.candidate === "object" ? message.candidate.low || message.candidate.high : message.candidate !== 0))
                    writer.uint32(112).uint64(message.candidate);
                if (message.disagrees != null && $Object.hasOwnProperty.call(message, "disagrees") && message.disagrees !== false)
                    writer.uint32(120).bool(message.disagrees);
                if (message.compared != null && $Object.hasOwnProperty.call(message, "compared") && (typeof message.compared === "object" ? message.compared.low || message.compared.high : message.compared !== 0))
                    writer.uint32(128).uint64(message.compared);
                if (message.disagreements != null && $Object.hasOwnProperty.call(message, "disagreements") && (typeof message.disagreements === "object" ? message.disagreements.low || message.disagreements.high : message.disagreements !== 0))
                    writer.uint32(136).uint64(message.disagreements);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            ObservedInput.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.ObservedInput();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.model = value;
                            else
                                delete message.model;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.observer = value;
                            else
                                delete message.observer;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.epoch = value;
                            else
                                delete message.epoch;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.number = value;
                            else
                                delete message.number;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.atMs = value;
                            else
                                delete message.atMs;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.expiresAtMs = value;
                            else
                                delete message.expiresAtMs;
                            continue;
                        }
                    case 7: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.release = value;
                            else
                                delete message.release;
                            continue;
                        }
                    case 8: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.stratum = value;
                            else
                                delete message.stratum;
                            continue;
                        }
                    case 9: {
                            if (wireType !== 1)
                                break;
                            if (!$Object.is(value = reader.double(), 0))
                                message.inclusion = value;
                            else
                                delete message.inclusion;
                            continue;
                        }
                    case 10: {
                            if (wireType !== 1)
                                break;
                            if (!$Object.is(value = reader.double(), 0))
                                message.weight = value;
                            else
                                delete message.weight;
                            continue;
                        }
                    case 11: {
                            if (wireType !== 2)
                                break;
                            message.interest = $root.knowledgenet.v1.Interest.decode(reader, reader.size(), $undefined, _depth + 1, message.interest);
                            continue;
                        }
                    case 12: {
                            if (wireType !== 2)
                                break;
                            message.input = $root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1, message.input);
                            continue;
                        }
                    case 13: {
                            if (wireType !== 2)
                                break;
                            message.logits = $root.knowledgenet.v1.Tensor.decode(reader, reader.size(), $undefined, _depth + 1, message.logits);
                            continue;
                        }
                    case 14: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.candidate = value;
                            else
                                delete message.candidate;
                            continue;
                        }
                    case 15: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.bool())
                                message.disagrees = value;
                            else
                                delete message.disagrees;
                            continue;
                        }
                    case 16: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.compared = value;
                            else
                                delete message.compared;
                            continue;
                        }
                    case 17: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.disagreements = value;
                            else
                                delete message.disagreements;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return ObservedInput;
        })();

        v1.UpdateKind = (function() {
            const valuesById = $Object.create(null), values = $Object.create(valuesById);
            values[valuesById[0] = "UPDATE_KIND_UNSPECIFIED"] = 0;
            values[valuesById[1] = "UPDATE_KIND_MASKED"] = 1;
            values[valuesById[2] = "UPDATE_KIND_CHANNELS"] = 2;
            values[valuesById[3] = "UPDATE_KIND_BATCH_NORM"] = 3;
            values[valuesById[4] = "UPDATE_KIND_FULL"] = 4;
            values[valuesById[5] = "UPDATE_KIND_RESTORE"] = 5;
            return values;
        })();

        v1.ValueCodec = (function() {
            const valuesById = $Object.create(null), values = $Object.create(valuesById);
            values[valuesById[0] = "VALUE_CODEC_UNSPECIFIED"] = 0;
            values[valuesById[1] = "VALUE_CODEC_F32"] = 1;
            values[valuesById[2] = "VALUE_CODEC_INT8"] = 2;
            values[valuesById[3] = "VALUE_CODEC_INT4"] = 3;
            return values;
        })();

        v1.Selection = (function() {
            const valuesById = $Object.create(null), values = $Object.create(valuesById);
            values[valuesById[0] = "SELECTION_UNSPECIFIED"] = 0;
            values[valuesById[1] = "SELECTION_WHOLE"] = 1;
            values[valuesById[2] = "SELECTION_CHANNELS"] = 2;
            values[valuesById[3] = "SELECTION_INDICES"] = 3;
            return values;
        })();

        v1.TensorUpdate = (function() {

            const TensorUpdate = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            TensorUpdate.prototype.tensor = null;
            TensorUpdate.prototype.elements = null;
            TensorUpdate.prototype.channels = null;
            TensorUpdate.prototype.selection = null;
            TensorUpdate.prototype.selected = null;
            TensorUpdate.prototype.riceBits = null;
            TensorUpdate.prototype.gaps = null;
            TensorUpdate.prototype.codec = null;
            TensorUpdate.prototype.scales = null;
            TensorUpdate.prototype.data = null;

            TensorUpdate.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.tensor != null && $Object.hasOwnProperty.call(message, "tensor") && message.tensor !== 0)
                    writer.uint32(8).uint32(message.tensor);
                if (message.elements != null && $Object.hasOwnProperty.call(message, "elements") && message.elements !== 0)
                    writer.uint32(16).uint32(message.elements);
                if (message.channels != null && $Object.hasOwnProperty.call(message, "channels") && message.channels !== 0)
                    writer.uint32(24).uint32(message.channels);
                if (message.selection != null && $Object.hasOwnProperty.call(message, "selection") && message.selection !== 0)
                    writer.uint32(32).int32(message.selection);
                if (message.selected != null && $Object.hasOwnProperty.call(message, "selected") && message.selected !== 0)
                    writer.uint32(40).uint32(message.selected);
                if (message.riceBits != null && $Object.hasOwnProperty.call(message, "riceBits") && message.riceBits !== 0)
                    writer.uint32(48).uint32(message.riceBits);
                if (message.gaps != null && $Object.hasOwnProperty.call(message, "gaps") && message.gaps.length)
                    writer.uint32(58).bytes(message.gaps);
                if (message.codec != null && $Object.hasOwnProperty.call(message, "codec") && message.codec !== 0)
                    writer.uint32(64).int32(message.codec);
                if (message.scales != null && $Object.hasOwnProperty.call(message, "scales") && message.scales.length)
                    writer.uint32(74).bytes(message.scales);
                if (message.data != null && $Object.hasOwnProperty.call(message, "data") && message.data.length)
                    writer.uint32(82).bytes(message.data);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            TensorUpdate.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.TensorUpdate();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.tensor = value;
                            else
                                delete message.tensor;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.elements = value;
                            else
                                delete message.elements;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.channels = value;
                            else
                                delete message.channels;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.selection = value;
                            else
                                delete message.selection;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.selected = value;
                            else
                                delete message.selected;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.uint32())
                                message.riceBits = value;
                            else
                                delete message.riceBits;
                            continue;
                        }
                    case 7: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.gaps = value;
                            else
                                delete message.gaps;
                            continue;
                        }
                    case 8: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.codec = value;
                            else
                                delete message.codec;
                            continue;
                        }
                    case 9: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.scales = value;
                            else
                                delete message.scales;
                            continue;
                        }
                    case 10: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.data = value;
                            else
                                delete message.data;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return TensorUpdate;
        })();

        v1.ModelUpdate = (function() {

            const ModelUpdate = function (properties) {
                this.tensors = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            ModelUpdate.prototype.model = null;
            ModelUpdate.prototype.number = null;
            ModelUpdate.prototype.kind = null;
            ModelUpdate.prototype.baseNumber = null;
            ModelUpdate.prototype.baseDigest = null;
            ModelUpdate.prototype.resultDigest = null;
            ModelUpdate.prototype.tensors = $util.emptyArray;

            ModelUpdate.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.model != null && $Object.hasOwnProperty.call(message, "model") && message.model !== "")
                    writer.uint32(10).string(message.model);
                if (message.number != null && $Object.hasOwnProperty.call(message, "number") && (typeof message.number === "object" ? message.number.low || message.number.high : message.number !== 0))
                    writer.uint32(16).uint64(message.number);
                if (message.kind != null && $Object.hasOwnProperty.call(message, "kind") && message.kind !== 0)
                    writer.uint32(24).int32(message.kind);
                if (message.baseNumber != null && $Object.hasOwnProperty.call(message, "baseNumber") && (typeof message.baseNumber === "object" ? message.baseNumber.low || message.baseNumber.high : message.baseNumber !== 0))
                    writer.uint32(32).uint64(message.baseNumber);
                if (message.baseDigest != null && $Object.hasOwnProperty.call(message, "baseDigest") && message.baseDigest.length)
                    writer.uint32(42).bytes(message.baseDigest);
                if (message.resultDigest != null && $Object.hasOwnProperty.call(message, "resultDigest") && message.resultDigest.length)
                    writer.uint32(50).bytes(message.resultDigest);
                if (message.tensors != null && message.tensors.length)
                    for (let i = 0; i < message.tensors.length; ++i)
                        $root.knowledgenet.v1.TensorUpdate.encode(message.tensors[i], writer.uint32(58).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            ModelUpdate.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.ModelUpdate();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.model = value;
                            else
                                delete message.model;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.number = value;
                            else
                                delete message.number;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.kind = value;
                            else
                                delete message.kind;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.baseNumber = value;
                            else
                                delete message.baseNumber;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.baseDigest = value;
                            else
                                delete message.baseDigest;
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.resultDigest = value;
                            else
                                delete message.resultDigest;
                            continue;
                        }
                    case 7: {
                            if (wireType !== 2)
                                break;
                            if (!(message.tensors && message.tensors.length))
                                message.tensors = [];
                            message.tensors.push($root.knowledgenet.v1.TensorUpdate.decode(reader, reader.size(), $undefined, _depth + 1));
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return ModelUpdate;
        })();

        v1.SignedUpdate = (function() {

            const SignedUpdate = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            SignedUpdate.prototype.update = null;
            SignedUpdate.prototype.digest = null;
            SignedUpdate.prototype.key = null;
            SignedUpdate.prototype.signature = null;

            SignedUpdate.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.update != null && $Object.hasOwnProperty.call(message, "update") && message.update.length)
                    writer.uint32(10).bytes(message.update);
                if (message.digest != null && $Object.hasOwnProperty.call(message, "digest") && message.digest.length)
                    writer.uint32(18).bytes(message.digest);
                if (message.key != null && $Object.hasOwnProperty.call(message, "key") && message.key.length)
                    writer.uint32(26).bytes(message.key);
                if (message.signature != null && $Object.hasOwnProperty.call(message, "signature") && message.signature.length)
                    writer.uint32(34).bytes(message.signature);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            SignedUpdate.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.SignedUpdate();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.update = value;
                            else
                                delete message.update;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.digest = value;
                            else
                                delete message.digest;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.key = value;
                            else
                                delete message.key;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.signature = value;
                            else
                                delete message.signature;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return SignedUpdate;
        })();

        v1.FullUpdateRequest = (function() {

            const FullUpdateRequest = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            FullUpdateRequest.prototype.model = null;
            FullUpdateRequest.prototype.number = null;
            FullUpdateRequest.prototype.newest = null;
            FullUpdateRequest.prototype.digest = null;

            FullUpdateRequest.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.model != null && $Object.hasOwnProperty.call(message, "model") && message.model !== "")
                    writer.uint32(10).string(message.model);
                if (message.number != null && $Object.hasOwnProperty.call(message, "number") && (typeof message.number === "object" ? message.number.low || message.number.high : message.number !== 0))
                    writer.uint32(16).uint64(message.number);
                if (message.newest != null && $Object.hasOwnProperty.call(message, "newest") && (typeof message.newest === "object" ? message.newest.low || message.newest.high : message.newest !== 0))
                    writer.uint32(24).uint64(message.newest);
                if (message.digest != null && $Object.hasOwnProperty.call(message, "digest") && message.digest.length)
                    writer.uint32(34).bytes(message.digest);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            FullUpdateRequest.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.knowledgenet.v1.FullUpdateRequest();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.model = value;
                            else
                                delete message.model;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.number = value;
                            else
                                delete message.number;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.newest = value;
                            else
                                delete message.newest;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.bytes()).length)
                                message.digest = value;
                            else
                                delete message.digest;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            return FullUpdateRequest;
        })();

        return v1;
    })();

    return knowledgenet;
})();

export interface WireCodec<Fields> {
  encode(message: Fields, writer?: $protobuf.Writer): $protobuf.Writer;
  decode(reader: $protobuf.Reader | Uint8Array, length?: number): Fields;
}

export interface StartFeedingFields {}

export interface PauseFeedingFields {}

export interface SaveCheckpointFields {
  readonly generation?: number | null;
}

export interface PrepareCheckpointFields {
  readonly generation?: number | null;
}

export interface AbandonCheckpointFields {
  readonly generation?: number | null;
}

export interface ReportStateFields {}

export interface StopActorFields {}

export interface UseTeacherFields {
  readonly version?: number | null;
}

export interface CommandFields {
  readonly startFeeding?: StartFeedingFields | null;
  readonly pauseFeeding?: PauseFeedingFields | null;
  readonly saveCheckpoint?: SaveCheckpointFields | null;
  readonly stopActor?: StopActorFields | null;
  readonly reportState?: ReportStateFields | null;
  readonly useTeacher?: UseTeacherFields | null;
  readonly prepareCheckpoint?: PrepareCheckpointFields | null;
  readonly abandonCheckpoint?: AbandonCheckpointFields | null;
  readonly order?: "startFeeding" | "pauseFeeding" | "saveCheckpoint" | "stopActor" | "reportState" | "useTeacher" | "prepareCheckpoint" | "abandonCheckpoint" | undefined;
}

export interface CommandReplyFields {
  readonly done?: DoneFields | null;
  readonly checkpointSaved?: CheckpointSavedFields | null;
  readonly failure?: FailureFields | null;
  readonly actorState?: ActorStateFields | null;
  readonly outcome?: "done" | "checkpointSaved" | "failure" | "actorState" | undefined;
}

export interface ActorStateFields {
  readonly state?: string | null;
  readonly progress?: ProgressFields | null;
  readonly evaluation?: EvaluationMeasuredFields | null;
}

export interface DoneFields {}

export interface GradientQualityFields {
  readonly cosine?: number | null;
  readonly relativeError?: number | null;
  readonly updates?: number | null;
}

export interface ProgressFields {
  readonly consumed?: number | null;
  readonly applied?: number | null;
  readonly loss?: number | null;
  readonly stalenessSteps?: number | null;
  readonly quality?: GradientQualityFields | null;
  readonly computeMs?: number | null;
  readonly receivedBytes?: number | null;
  readonly drops?: Readonly<Record<string, number>> | null;
  readonly skipped?: Readonly<Record<string, number>> | null;
  readonly pending?: number | null;
  readonly sentBytes?: Readonly<Record<string, number>> | null;
  readonly step?: number | null;
  readonly hintLoss?: number | null;
  readonly cache?: Readonly<Record<string, number>> | null;
}

export interface EvaluationMeasuredFields {
  readonly evaluation?: number | null;
  readonly correct?: number | null;
  readonly samples?: number | null;
  readonly lossSum?: number | null;
  readonly agreeing?: number | null;
  readonly teacherCorrect?: number | null;
}

export interface StateEnteredFields {
  readonly state?: string | null;
}

export interface FailureFields {
  readonly code?: string | null;
  readonly message?: string | null;
  readonly directive?: string | null;
}

export interface CheckpointSavedFields {
  readonly name?: string | null;
  readonly digest?: string | null;
  readonly sizeBytes?: number | null;
}

export interface SourceSwitchedFields {
  readonly from?: string | null;
  readonly to?: string | null;
  readonly reason?: string | null;
}

export interface TeacherChangedFields {
  readonly from?: number | null;
  readonly to?: number | null;
}

export interface FeederMarkFields {
  readonly kind?: number | null;
  readonly epoch?: number | null;
  readonly evaluation?: number | null;
  readonly evaluationSamples?: number | null;
}

export interface HeldReleaseFields {
  readonly release?: number | null;
  readonly state?: number | null;
  readonly failure?: FailureFields | null;
}

export interface ReplicaStateFields {
  readonly instance?: string | null;
  readonly slice?: number | null;
  readonly slices?: number | null;
  readonly state?: string | null;
  readonly held?: readonly HeldReleaseFields[] | null;
  readonly inFlight?: number | null;
  readonly host?: string | null;
}

export interface EventFields {
  readonly header?: HeaderFields | null;
  readonly progress?: ProgressFields | null;
  readonly evaluationMeasured?: EvaluationMeasuredFields | null;
  readonly stateEntered?: StateEnteredFields | null;
  readonly failure?: FailureFields | null;
  readonly checkpointSaved?: CheckpointSavedFields | null;
  readonly feederMark?: FeederMarkFields | null;
  readonly sourceSwitched?: SourceSwitchedFields | null;
  readonly teacherChanged?: TeacherChangedFields | null;
  readonly replicaState?: ReplicaStateFields | null;
  readonly fact?: "progress" | "evaluationMeasured" | "stateEntered" | "failure" | "checkpointSaved" | "feederMark" | "sourceSwitched" | "teacherChanged" | "replicaState" | undefined;
}

export interface HeaderFields {
  readonly run?: string | null;
  readonly sender?: string | null;
  readonly sequence?: number | null;
  readonly step?: number | null;
  readonly version?: number | null;
  readonly fence?: number | null;
}

export interface BatchProvenanceFields {
  readonly samples?: Uint8Array | null;
  readonly view?: number | null;
  readonly seed?: number | null;
  readonly teacher?: number | null;
}

export interface ActivationFields {
  readonly header?: HeaderFields | null;
  readonly phase?: number | null;
  readonly tensor?: TensorFields | null;
  readonly labels?: TensorFields | null;
  readonly evaluation?: number | null;
  readonly provenance?: BatchProvenanceFields | null;
}

export interface GradientFields {
  readonly header?: HeaderFields | null;
  readonly origin?: number | null;
  readonly tensor?: TensorFields | null;
}

export interface GapFields {
  readonly header?: HeaderFields | null;
  readonly first?: number | null;
}

export interface TensorFields {
  readonly dtype?: number | null;
  readonly shape?: readonly number[] | null;
  readonly codec?: number | null;
  readonly data?: Uint8Array | null;
  readonly scales?: Uint8Array | null;
  readonly blockElements?: number | null;
}

export interface ChunkFields {
  readonly transferId?: Uint8Array | null;
  readonly index?: number | null;
  readonly count?: number | null;
  readonly totalBytes?: number | null;
  readonly digest?: Uint8Array | null;
  readonly payload?: Uint8Array | null;
}

export interface FrameFields {
  readonly activation?: ActivationFields | null;
  readonly gradient?: GradientFields | null;
  readonly chunk?: ChunkFields | null;
  readonly gap?: GapFields | null;
  readonly stageBatch?: StageBatchFields | null;
  readonly stageResult?: StageResultFields | null;
  readonly content?: "activation" | "gradient" | "chunk" | "gap" | "stageBatch" | "stageResult" | undefined;
}

export interface InferRequestFields {
  readonly id?: string | null;
  readonly release?: number | null;
  readonly remainingMs?: number | null;
  readonly priority?: number | null;
  readonly client?: string | null;
  readonly input?: TensorFields | null;
  readonly observe?: boolean | null;
}

export interface InferReplyFields {
  readonly id?: string | null;
  readonly release?: number | null;
  readonly batch?: number | null;
  readonly logits?: TensorFields | null;
  readonly failure?: FailureFields | null;
  readonly retryAfterMs?: number | null;
}

export interface StageBatchFields {
  readonly batch?: number | null;
  readonly release?: number | null;
  readonly remainingMs?: number | null;
  readonly route?: readonly string[] | null;
  readonly gateway?: string | null;
  readonly tensor?: TensorFields | null;
  readonly computeUs?: readonly number[] | null;
  readonly nonFinite?: readonly number[] | null;
  readonly wantsActivations?: boolean | null;
  readonly activations?: readonly TensorFields[] | null;
}

export interface StageResultFields {
  readonly batch?: number | null;
  readonly release?: number | null;
  readonly sender?: string | null;
  readonly logits?: TensorFields | null;
  readonly nonFinite?: readonly number[] | null;
  readonly failure?: FailureFields | null;
  readonly computeUs?: readonly number[] | null;
  readonly activations?: readonly TensorFields[] | null;
}

export interface ServingPressureFields {
  readonly model?: string | null;
  readonly queueMs?: number | null;
  readonly targetMs?: number | null;
  readonly hosts?: readonly string[] | null;
}

export interface LiveInputsFields {
  readonly model?: string | null;
  readonly release?: number | null;
  readonly input?: TensorFields | null;
  readonly logits?: TensorFields | null;
  readonly candidateLogits?: TensorFields | null;
  readonly candidateRelease?: number | null;
}

export interface InterestFields {
  readonly disagreement?: number | null;
  readonly uncertainty?: number | null;
  readonly novelty?: number | null;
}

export interface ObservedInputFields {
  readonly model?: string | null;
  readonly observer?: string | null;
  readonly epoch?: string | null;
  readonly number?: number | null;
  readonly atMs?: number | null;
  readonly expiresAtMs?: number | null;
  readonly release?: number | null;
  readonly stratum?: number | null;
  readonly inclusion?: number | null;
  readonly weight?: number | null;
  readonly interest?: InterestFields | null;
  readonly input?: TensorFields | null;
  readonly logits?: TensorFields | null;
  readonly candidate?: number | null;
  readonly disagrees?: boolean | null;
  readonly compared?: number | null;
  readonly disagreements?: number | null;
}

export interface TensorUpdateFields {
  readonly tensor?: number | null;
  readonly elements?: number | null;
  readonly channels?: number | null;
  readonly selection?: number | null;
  readonly selected?: number | null;
  readonly riceBits?: number | null;
  readonly gaps?: Uint8Array | null;
  readonly codec?: number | null;
  readonly scales?: Uint8Array | null;
  readonly data?: Uint8Array | null;
}

export interface ModelUpdateFields {
  readonly model?: string | null;
  readonly number?: number | null;
  readonly kind?: number | null;
  readonly baseNumber?: number | null;
  readonly baseDigest?: Uint8Array | null;
  readonly resultDigest?: Uint8Array | null;
  readonly tensors?: readonly TensorUpdateFields[] | null;
}

export interface SignedUpdateFields {
  readonly update?: Uint8Array | null;
  readonly digest?: Uint8Array | null;
  readonly key?: Uint8Array | null;
  readonly signature?: Uint8Array | null;
}

export interface FullUpdateRequestFields {
  readonly model?: string | null;
  readonly number?: number | null;
  readonly newest?: number | null;
  readonly digest?: Uint8Array | null;
}

export const wire: {
  readonly StartFeeding: WireCodec<StartFeedingFields>;
  readonly PauseFeeding: WireCodec<PauseFeedingFields>;
  readonly SaveCheckpoint: WireCodec<SaveCheckpointFields>;
  readonly PrepareCheckpoint: WireCodec<PrepareCheckpointFields>;
  readonly AbandonCheckpoint: WireCodec<AbandonCheckpointFields>;
  readonly ReportState: WireCodec<ReportStateFields>;
  readonly StopActor: WireCodec<StopActorFields>;
  readonly UseTeacher: WireCodec<UseTeacherFields>;
  readonly Command: WireCodec<CommandFields>;
  readonly CommandReply: WireCodec<CommandReplyFields>;
  readonly ActorState: WireCodec<ActorStateFields>;
  readonly Done: WireCodec<DoneFields>;
  readonly GradientQuality: WireCodec<GradientQualityFields>;
  readonly Progress: WireCodec<ProgressFields>;
  readonly EvaluationMeasured: WireCodec<EvaluationMeasuredFields>;
  readonly StateEntered: WireCodec<StateEnteredFields>;
  readonly Failure: WireCodec<FailureFields>;
  readonly CheckpointSaved: WireCodec<CheckpointSavedFields>;
  readonly SourceSwitched: WireCodec<SourceSwitchedFields>;
  readonly TeacherChanged: WireCodec<TeacherChangedFields>;
  readonly FeederMark: WireCodec<FeederMarkFields> & { readonly Kind: { readonly KIND_UNSPECIFIED: 0; readonly KIND_EVALUATION_PUBLISHED: 1; readonly KIND_EPOCH_ENDED: 2; readonly KIND_PAUSED: 3; readonly KIND_FINISHED: 4 } };
  readonly HeldRelease: WireCodec<HeldReleaseFields> & { readonly State: { readonly STATE_UNSPECIFIED: 0; readonly STATE_LOADING: 1; readonly STATE_READY: 2; readonly STATE_REFUSED: 3 } };
  readonly ReplicaState: WireCodec<ReplicaStateFields>;
  readonly Event: WireCodec<EventFields>;
  readonly Header: WireCodec<HeaderFields>;
  readonly Phase: { readonly PHASE_UNSPECIFIED: 0; readonly PHASE_TRAIN: 1; readonly PHASE_EVALUATE: 2; readonly PHASE_RECALIBRATE: 3 };
  readonly BatchProvenance: WireCodec<BatchProvenanceFields>;
  readonly Activation: WireCodec<ActivationFields>;
  readonly GradientOrigin: { readonly GRADIENT_ORIGIN_UNSPECIFIED: 0; readonly GRADIENT_ORIGIN_TRUE: 1; readonly GRADIENT_ORIGIN_BOOTSTRAPPED: 2; readonly GRADIENT_ORIGIN_SYNTHETIC: 3 };
  readonly Gradient: WireCodec<GradientFields>;
  readonly Gap: WireCodec<GapFields>;
  readonly DType: { readonly DTYPE_UNSPECIFIED: 0; readonly DTYPE_F32: 1; readonly DTYPE_I32: 2; readonly DTYPE_U8: 3 };
  readonly Codec: { readonly CODEC_UNSPECIFIED: 0; readonly CODEC_RAW: 1; readonly CODEC_BF16: 2; readonly CODEC_INT8_CHANNEL: 3; readonly CODEC_INT8_BLOCK: 4 };
  readonly Tensor: WireCodec<TensorFields>;
  readonly Chunk: WireCodec<ChunkFields>;
  readonly Frame: WireCodec<FrameFields>;
  readonly Priority: { readonly PRIORITY_UNSPECIFIED: 0; readonly PRIORITY_INTERACTIVE: 1; readonly PRIORITY_BULK: 2 };
  readonly InferRequest: WireCodec<InferRequestFields>;
  readonly InferReply: WireCodec<InferReplyFields>;
  readonly StageBatch: WireCodec<StageBatchFields>;
  readonly StageResult: WireCodec<StageResultFields>;
  readonly ServingPressure: WireCodec<ServingPressureFields>;
  readonly Stratum: { readonly STRATUM_UNSPECIFIED: 0; readonly STRATUM_UNIFORM: 1; readonly STRATUM_INTERESTING: 2 };
  readonly LiveInputs: WireCodec<LiveInputsFields>;
  readonly Interest: WireCodec<InterestFields>;
  readonly ObservedInput: WireCodec<ObservedInputFields>;
  readonly UpdateKind: { readonly UPDATE_KIND_UNSPECIFIED: 0; readonly UPDATE_KIND_MASKED: 1; readonly UPDATE_KIND_CHANNELS: 2; readonly UPDATE_KIND_BATCH_NORM: 3; readonly UPDATE_KIND_FULL: 4; readonly UPDATE_KIND_RESTORE: 5 };
  readonly ValueCodec: { readonly VALUE_CODEC_UNSPECIFIED: 0; readonly VALUE_CODEC_F32: 1; readonly VALUE_CODEC_INT8: 2; readonly VALUE_CODEC_INT4: 3 };
  readonly Selection: { readonly SELECTION_UNSPECIFIED: 0; readonly SELECTION_WHOLE: 1; readonly SELECTION_CHANNELS: 2; readonly SELECTION_INDICES: 3 };
  readonly TensorUpdate: WireCodec<TensorUpdateFields>;
  readonly ModelUpdate: WireCodec<ModelUpdateFields>;
  readonly SignedUpdate: WireCodec<SignedUpdateFields>;
  readonly FullUpdateRequest: WireCodec<FullUpdateRequestFields>;
} = knowledgenet.v1;
