package gateway

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mlxbar/backend/gateway/problem"
)

// The pages of Anthropic's model list.
const (
	usualPage   = 20
	largestPage = 1000
)

// anthropicModel is an entry of the model list, as Anthropic writes it.
type anthropicModel struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
}

// forAnthropic is m as Anthropic writes it, which has the epoch for a date that is not known.
func (m model) forAnthropic() anthropicModel {
	return anthropicModel{"model", m.ID, cmp.Or(m.title, m.ID), time.Unix(m.Created, 0).UTC().Format(time.RFC3339)}
}

// modelPage is one page of Anthropic's model list.
type modelPage struct {
	Data    []anthropicModel `json:"data"`
	HasMore bool             `json:"has_more"`
	FirstID *string          `json:"first_id"`
	LastID  *string          `json:"last_id"`
}

// pageOf is the page of list that limit, before_id and after_id ask for.
func pageOf(list []model, query url.Values) (modelPage, *problem.Error) {
	size := usualPage
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > largestPage {
			return modelPage{}, wrongQuery("limit", fmt.Sprintf("must be a whole number from 1 to %d", largestPage))
		}
		size = n
	}
	before, after := query.Get("before_id"), query.Get("after_id")
	if before != "" && after != "" {
		return modelPage{}, wrongQuery("before_id", "must not stand beside after_id")
	}
	at := func(id string) int { return slices.IndexFunc(list, func(m model) bool { return m.ID == id }) }
	from, to := 0, min(size, len(list))
	switch {
	case after != "":
		if from = at(after) + 1; from == 0 {
			return modelPage{}, wrongQuery("after_id", "must be a model of this list")
		}
		to = min(from+size, len(list))
	case before != "":
		if to = at(before); to < 0 {
			return modelPage{}, wrongQuery("before_id", "must be a model of this list")
		}
		from = max(to-size, 0)
	}
	page := modelPage{Data: []anthropicModel{}, HasMore: to < len(list)}
	if before != "" {
		page.HasMore = from > 0
	}
	for _, m := range list[from:to] {
		page.Data = append(page.Data, m.forAnthropic())
	}
	if n := len(page.Data); n > 0 {
		page.FirstID, page.LastID = &page.Data[0].ID, &page.Data[n-1].ID
	}
	return page, nil
}

func wrongQuery(name, detail string) *problem.Error {
	return problem.Invalid(problem.Field{Detail: detail, Location: "query." + name})
}
