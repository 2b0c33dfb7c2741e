package llamacpp

import (
	"encoding/binary"
	"net/http"
	"slices"
	"testing"

	"github.com/tidwall/gjson"

	"mlxbar/backend/models"
)

// reranker makes a model that gives scores of one that gives tokens. What it says first of itself
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md) is 64 bytes more, so that its tensors stay aligned.
func reranker(b []byte) []byte {
	const integer, text = 4, 8
	var said []byte
	named := func(key string, kind uint32) {
		said = append(binary.LittleEndian.AppendUint64(said, uint64(len(key))), key...)
		said = binary.LittleEndian.AppendUint32(said, kind)
	}
	named("llama.pooling_type", integer)
	said = binary.LittleEndian.AppendUint32(said, 4)
	named("made.up", text)
	said = append(binary.LittleEndian.AppendUint64(said, 3), "..."...)
	out := slices.Concat(b[:24], said, b[24:])
	binary.LittleEndian.PutUint64(out[16:], binary.LittleEndian.Uint64(b[16:])+2)
	return out
}

func TestTheRealEngineRanks(t *testing.T) {
	r := newRig(t)
	r.damaged("reranker", reranker)
	lease := r.lease("reranker")
	const body = `{"query":"What is a lighthouse?","documents":["A tower with a light.","Bananas are yellow.","A tower with a light."]}`
	res := send(t, lease, "/v1/rerank", body)
	answer := text(t, res)
	score := func(document string) float64 {
		return gjson.Get(answer, "results.#(index=="+document+").relevance_score").Float()
	}
	if res.StatusCode != http.StatusOK || score("0") == score("1") || score("0") != score("2") {
		t.Errorf("status %d: %s", res.StatusCode, answer)
	}
	ask := question(models.Model{Facts: models.Facts{HasPooling: true, Ranks: true}})
	if proof := text(t, send(t, lease, ask.Path, ask.Body)); !ask.Answered([]byte(proof)) {
		t.Errorf("its proof of life is %s", proof)
	}
}
