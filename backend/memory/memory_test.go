package memory

import (
	"errors"
	"math"
	"testing"

	"mlxbar/backend/models"
	"mlxbar/backend/settings"
)

const mb = 1 << 20

func find(name string) (models.Model, error) {
	if name == "small" {
		return models.Model{Name: name, Size: 100 * mb, Format: models.GGUF, Facts: models.Facts{ContextLength: 8192, CacheBytes: 1000}}, nil
	}
	return models.Model{}, errors.New("not there")
}

func TestTheEstimateFollowsWhatIsSet(t *testing.T) {
	large := models.Model{Name: "large", Size: 1000 * mb, Format: models.GGUF, Facts: models.Facts{ContextLength: 4096, CacheBytes: 3200}}
	folder := large
	folder.Format = models.MLX
	silent := models.Model{Name: "large", Size: 5, Format: models.GGUF}
	for name, c := range map[string]struct {
		model         models.Model
		each          settings.ModelSettings
		bytes, tokens int64
	}{
		"nothing":                     {large, settings.ModelSettings{}, 1000*mb + 4*4096*3200, 4 * 4096},
		"of another model":            {large, settings.ModelSettings{Name: "other", Parallel: 1}, 1000*mb + 4*4096*3200, 4 * 4096},
		"context":                     {large, settings.ModelSettings{ContextSize: 1024}, 1000*mb + 4*1024*3200, 4 * 1024},
		"slots":                       {large, settings.ModelSettings{Parallel: 1}, 1000*mb + 4096*3200, 4096},
		"a draft":                     {large, settings.ModelSettings{Parallel: 1, Draft: "small"}, 1100*mb + 4096*4200, 4096},
		"a draft that is not there":   {large, settings.ModelSettings{Parallel: 1, Draft: "gone"}, 1000*mb + 4096*3200, 4096},
		"a smaller cache":             {large, settings.ModelSettings{Parallel: 1, Arguments: []string{"--cache-type-k", "q8_0", "--cache-type-v", "q8_0"}}, 1000*mb + 4096*1700, 4096},
		"half of it":                  {large, settings.ModelSettings{Parallel: 1, Arguments: []string{"--flash-attn", "on", "--cache-type-v", "q4_0"}}, 1000*mb + 4096*2050, 4096},
		"for MLX, which has one":      {folder, settings.ModelSettings{}, 1000*mb + 4096*3200, 4096},
		"for MLX, which needs less":   {folder, settings.ModelSettings{ContextSize: 1024}, 1000*mb + 1024*3200, 1024},
		"for what tells nothing else": {silent, settings.ModelSettings{}, 5, 0},
	} {
		t.Run(name, func(t *testing.T) {
			set := settings.Defaults()
			if c.each.Name == "" {
				c.each.Name = "Large"
			}
			set.Models.Each = []settings.ModelSettings{c.each}
			if got := of(c.model, set, find, 0); got != (Estimate{Bytes: c.bytes + beside(c.model, c.tokens), Tokens: c.tokens}) {
				t.Errorf("got %+v, want %d bytes beside the program and %d tokens", got, c.bytes, c.tokens)
			}
		})
	}
}

func TestWhatIsTooLargeIsToldHowItWouldFit(t *testing.T) {
	m := models.Model{Name: "large", Size: 1000 * mb, Format: models.GGUF, Facts: models.Facts{ContextLength: 1 << 17, CacheBytes: 1 << 10}}
	set := settings.Defaults()
	for limit, want := range map[int64]string{
		0:         "",
		5000 * mb: "",
		1024 * mb: "With a context_size of 2048 it would fit.", // four times as many tokens, of 1 KiB in the cache and 2 in the mask
		1001 * mb: "",                                          // of what remains nobody has any use
		500 * mb:  "",
	} {
		if limit > 0 {
			limit += beside(m, 0) + computeBytes*batch
		}
		if got := of(m, set, find, limit).Advice; got != want {
			t.Errorf("of %d bytes: %q, want %q", limit, got, want)
		}
	}
}

// What was measured of the starter model: resident after a prompt that filled its context, on Linux.
func TestTheEstimateIsNearWhatWasMeasured(t *testing.T) {
	starter := models.Model{Name: "starter", Size: 98_362_432, Format: models.GGUF, Facts: models.Facts{ContextLength: 8192, CacheBytes: 30 * 3 * (64 + 64) * 2}}
	seeing := starter
	seeing.Projector, seeing.ProjectorSize = "mmproj-F32.gguf", 305_696
	set := settings.Defaults()
	set.Models.Each = []settings.ModelSettings{{Name: "starter", ContextSize: 512, Parallel: 1}}
	if got := of(seeing, set, find, 0).Bytes; got < 187.9e6 || got > 187.9e6*1.05 { // after a picture, without the 10.9 MB of the prompt before it, which llama.cpp keeps
		t.Errorf("with a projector %d", got)
	}
	for _, c := range []struct {
		context, parallel int
		held              int64
	}{{512, 1, 182.8e6}, {512, 4, 232.7e6}, {2048, 1, 238.8e6}, {2048, 4, 387.2e6}, {8192, 1, 396.2e6}} {
		set := settings.Defaults()
		set.Models.Each = []settings.ModelSettings{{Name: "starter", ContextSize: c.context, Parallel: c.parallel}}
		if got := of(starter, set, find, 0).Bytes; got < c.held || got > c.held*105/100 {
			t.Errorf("%d tokens for each of %d: %d, and %d were held", c.context, c.parallel, got, c.held)
		}
	}
}

func TestAFileThatClaimsAnythingIsEstimated(t *testing.T) {
	m := models.Model{Name: "large", Size: math.MaxInt64 - 5, Format: models.GGUF, Facts: models.Facts{ContextLength: math.MaxInt32, CacheBytes: 1 << 40}}
	set := settings.Defaults()
	set.Engines.LlamaCPP.Parallel = 64
	if got := of(m, set, find, 1<<30); got.Bytes != math.MaxInt64 {
		t.Errorf("%+v", got)
	}
}

func TestTheMachineTellsItsMemory(t *testing.T) {
	set := settings.Defaults()
	set.Engines.MemoryPercent = 50
	if m := Machine(); m <= 0 || Limit(set) > m/2 || Limit(set) < m/2-100 {
		t.Errorf("of %d, half is %d", m, Limit(set))
	}
}
