package gateway

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"mlxbar/backend/gateway/problem"
	"mlxbar/backend/gateway/wire"
)

// mediaIn says where parts of a kind hold a picture, sound or film, in the three protocols.
var mediaIn = map[string]string{
	"image_url": "image_url", "input_image": "image_url", "image": "source",
	"input_audio": "input_audio", "input_video": "input_video", "video_url": "video_url",
}

// holders are the members of a request that parts stand in, at any depth.
var holders = []string{"messages", "input", "content", "output", "system", "prompt", "query", "documents"}

// hints stand in every body that holds one, as it is written or with a letter of it escaped.
var hints = [][]byte{[]byte("image"), []byte("audio"), []byte("video"), []byte(`\u00`)}

// addressed finds a picture that a request names by its address. An engine of this machine must not get it: that would
// be a request to anywhere, from here, which nobody sees and no record tells of.
func addressed(body []byte) error {
	for _, hint := range hints {
		if bytes.Contains(body, hint) {
			if field := addressIn(gjson.Parse(wire.View(body)), ""); field != "" {
				e := problem.New(problem.NotOffered, "An engine of this machine fetches nothing. Send the picture itself, as data:image/png;base64,... or as a source of type base64.")
				e.Fields = []problem.Field{{Location: "body" + field, Detail: "is an address, which nothing is fetched from"}}
				return e
			}
			return nil
		}
	}
	return nil
}

// addressIn gives the path of the first address in v, "" if there is none. All of the members that have a name count:
// which of two an engine takes is its own affair.
func addressIn(v gjson.Result, at string) (field string) {
	switch {
	case v.IsArray():
		n := 0
		v.ForEach(func(_, item gjson.Result) bool {
			field = addressIn(item, fmt.Sprintf("%s[%d]", at, n))
			n++
			return field == ""
		})
	case v.IsObject():
		places := map[string]bool{}
		v.ForEach(func(key, value gjson.Result) bool {
			if place, ok := mediaIn[value.Str]; ok && key.Str == "type" {
				places[place] = true
			}
			return true
		})
		v.ForEach(func(key, value gjson.Result) bool {
			below := at + "." + key.Str
			if places[key.Str] {
				field = address(value, below)
			}
			if field == "" && slices.Contains(holders, key.Str) {
				field = addressIn(value, below)
			}
			return field == ""
		})
	}
	return field
}

// address is where below at a part has one that is not the data itself.
func address(v gjson.Result, at string) (field string) {
	if v.Type == gjson.String && remote(v.Str) {
		return at
	}
	if v.IsObject() {
		v.ForEach(func(key, value gjson.Result) bool {
			if (key.Str == "url" || key.Str == "data") && remote(value.Str) {
				field = at + "." + key.Str
			}
			return field == ""
		})
	}
	return field
}

// remote says whether llama.cpp would go and get it, which it sees by the first letters.
func remote(address string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(address)), "http") && strings.Contains(address, ":")
}
