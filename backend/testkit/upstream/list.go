package upstream

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// names are the models that the server lists: every script, so that a client finds what it may ask for,
// or what Models says.
func (s *Server) names() []string {
	if s.options.models != nil {
		return s.options.models
	}
	var names []string
	for _, d := range Scripts() {
		names = append(names, d.Model)
	}
	return names
}

// models lists them in the protocol whose headers the client sends.
func (s *Server) models(w http.ResponseWriter, r *http.Request, _ []byte) {
	if s.options.listDelay > 0 && !wait(r.Context(), s.options.listDelay) {
		return
	}
	w.Header()["Content-Type"] = typeJSON
	if r.Header.Get("Anthropic-Version") != "" {
		w.Write(marshal(s.anthropicModels(r)))
		return
	}
	data := []any{}
	for _, name := range s.names() {
		data = append(data, map[string]any{"id": name, "object": "model", "created": created, "owned_by": "upstream"})
	}
	w.Write(marshal(map[string]any{"object": "list", "data": data}))
}

// anthropicModels is the page after after_id.
func (s *Server) anthropicModels(r *http.Request) map[string]any {
	names := s.names()
	if after := r.FormValue("after_id"); after != "" {
		names = names[slices.Index(names, after)+1:]
	}
	size, err := strconv.Atoi(r.FormValue("limit"))
	if err != nil {
		size = 20
	}
	if s.options.page > 0 {
		size = min(size, s.options.page)
	}
	more := len(names) > size
	names = names[:min(size, len(names))]
	data := []any{}
	for _, name := range names {
		data = append(data, map[string]any{"type": "model", "id": name, "display_name": "Upstream's " + name, "created_at": time.Unix(created, 0).UTC().Format(time.RFC3339)})
	}
	page := map[string]any{"data": data, "has_more": more, "first_id": nil, "last_id": nil}
	if len(names) > 0 {
		page["first_id"], page["last_id"] = names[0], names[len(names)-1]
	}
	return page
}
