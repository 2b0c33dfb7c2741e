package llamacpp

import (
	"github.com/tidwall/gjson"

	"mlxbar/backend/engine"
	"mlxbar/backend/models"
)

// question is how a child proves that it makes what its model is there for: one token, an embedding or a rank. It is the
// same each time, so that llama.cpp answers it in the place of the last one while there is one to spare, and else keeps
// what it displaces in its cache of prompts.
func question(model models.Model) *engine.Question {
	switch {
	case model.Facts.Ranks: // which has no embedding: llama.cpp gives one score, and behind it whatever the memory held
		return &engine.Question{Path: "/v1/rerank", Body: `{"query":"a","documents":["a"]}`, Answered: func(body []byte) bool {
			return gjson.GetBytes(body, "results.0.relevance_score").Type == gjson.Number
		}}
	case model.Facts.HasPooling:
		return &engine.Question{Path: "/v1/embeddings", Body: `{"input":"a"}`, Answered: func(body []byte) bool {
			return gjson.GetBytes(body, "data.0.embedding.0").Type == gjson.Number
		}}
	}
	return engine.OneToken
}
