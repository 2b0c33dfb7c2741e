package models

import (
	"cmp"
	"math"
)

// block is how many values one block of a tensor kind holds, in how many bytes.
type block struct{ values, bytes uint64 }

// blocks lists the kinds of ggml.h that are in use. A kind that is not here counts
// as empty: a file is called broken only when that is certain.
var blocks = map[uint32]block{
	0: {1, 4}, 1: {1, 2}, 30: {1, 2}, // F32, F16, BF16
	2: {32, 18}, 3: {32, 20}, 6: {32, 22}, 7: {32, 24}, 8: {32, 34}, 9: {32, 36}, // Q4_0 to Q8_1
	10: {256, 84}, 11: {256, 110}, 12: {256, 144}, 13: {256, 176}, 14: {256, 210}, 15: {256, 292}, // Q2_K to Q8_K
	16: {256, 66}, 17: {256, 74}, 18: {256, 98}, 19: {256, 50}, 20: {32, 18}, 21: {256, 110}, 22: {256, 82}, 23: {256, 136}, // IQ
	24: {1, 1}, 25: {1, 2}, 26: {1, 4}, 27: {1, 8}, 28: {1, 8}, 29: {256, 56}, // I8 to I64, F64, IQ1_M
	34: {256, 54}, 35: {256, 66}, 39: {32, 17}, // TQ1_0, TQ2_0, MXFP4
}

func tensorSize(kind uint32, elements uint64) int64 {
	b, ok := blocks[kind]
	if !ok {
		return 0
	}
	n := (elements + b.values - 1) / b.values
	if n > math.MaxInt64/b.bytes {
		return math.MaxInt64
	}
	return int64(n * b.bytes)
}

// kindNames is how people call the kinds of tensors that a file may be full of.
var kindNames = map[uint32]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K",
	16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 29: "IQ1_M", 30: "BF16",
	34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
}

// fileTypes is how llama.cpp's llama.h calls the mixtures that general.file_type names.
var fileTypes = map[uint64]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L",
	14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
	23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16",
	36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}

// mixture is what most of a file's bytes are of, for files that name no type.
func mixture(bytes map[uint32]int64) string {
	most := mostOf(bytes)
	if bytes[most] == 0 {
		return ""
	}
	return kindNames[most]
}

// mostOf is the kind that has the most bytes, of several the least.
func mostOf[K cmp.Ordered](bytes map[K]int64) (most K) {
	for kind, n := range bytes {
		if n > bytes[most] || n == bytes[most] && kind < most {
			most = kind
		}
	}
	return most
}
