package hub

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"mlxbar/backend/split"
)

// Offer is what can be downloaded of a repository as one model: a GGUF file, all parts of one that is split, or the
// folder of a model for MLX.
type Offer struct {
	File         string `json:"file" doc:"What to ask for: the path of the file, of the first one if there are several; empty for a folder."`
	Format       string `json:"format" enum:"gguf,mlx"`
	Quantisation string `json:"quantisation" doc:"As the file's name tells, such as Q4_K_M; empty when it does not."`
	Parts        int    `json:"parts" doc:"How many files it consists of."`
	SizeBytes    int64  `json:"size_bytes"`
	Projector    bool   `json:"projector" doc:"It is no model but what gives one eyes (mmproj), to lie beside it."`
	// Folder is the name of the folder that the files belong in; empty for files of their own.
	Folder string `json:"-"`
	Files  []File `json:"-"`
}

// quantisation finds what llama.cpp's tools call a file's quantisation, at the end of its name or of a folder's.
var quantisation = regexp.MustCompile(`(?i)(?:^|[-_.])((?:UD-)?(?:I?Q[1-8](?:_[0-9A-Z]+)*|TQ[12]_0|MXFP4(?:_MOE)?|BF16|F16|F32|FP16|FP32))$`)

// Offers gives what there is to download of r: GGUF files, or if there are none the folder of safetensors.
func (r *Repo) Offers() []Offer {
	offers := []Offer{}
	for _, f := range r.Files {
		if !isGGUF(f.Path) {
			continue
		}
		part, isPart := split.Parse(f.Path)
		o := Offer{File: f.Path, Format: GGUF, Parts: 1, SizeBytes: f.Size, Files: []File{f}}
		if isPart && (part.Number != 1 || !r.addParts(&o, part)) {
			continue // counted with the first, or parts are missing at the Hub itself
		}
		o.Quantisation = quantisationOf(part.Base)
		o.Projector = strings.Contains(strings.ToLower(path.Base(part.Base)), "mmproj")
		offers = append(offers, o)
	}
	if folder, ok := r.folder(); ok && len(offers) == 0 {
		offers = append(offers, folder)
	}
	slices.SortStableFunc(offers, func(a, b Offer) int {
		if a.Projector != b.Projector {
			return map[bool]int{false: -1, true: 1}[a.Projector]
		}
		return int(min(max(a.SizeBytes-b.SizeBytes, -1), 1))
	})
	return offers
}

func isGGUF(file string) bool { return strings.EqualFold(path.Ext(file), ".gguf") }

// addParts adds the second part and those that follow.
func (r *Repo) addParts(o *Offer, first split.Part) bool {
	for n := 2; n <= first.Total; n++ {
		i := slices.IndexFunc(r.Files, func(f File) bool { return f.Path == first.File(n) })
		if i < 0 {
			return false
		}
		o.Files = append(o.Files, r.Files[i])
		o.SizeBytes += r.Files[i].Size
		o.Parts++
	}
	return first.Total > 0
}

// quantisationOf reads it off a path without extension; some repositories keep each in a folder of its name.
func quantisationOf(base string) string {
	for _, name := range []string{path.Base(base), path.Base(path.Dir(base))} {
		if m := quantisation.FindStringSubmatch(name); m != nil {
			return strings.ToUpper(m[1])
		}
	}
	return ""
}

// folderFiles are those that a model for MLX needs; code, which a model could bring along, is none of them.
var folderFiles = []string{".safetensors", ".json", ".txt", ".model", ".tiktoken", ".jinja"}

// folder gives the repository as a model for MLX: config.json, weights and tokenizer at its top.
func (r *Repo) folder() (Offer, bool) {
	o := Offer{Format: MLX, Folder: path.Base(r.Name), Files: []File{}}
	config, weights := false, false
	for _, f := range r.Files {
		if strings.Contains(f.Path, "/") || strings.HasPrefix(f.Path, ".") || !slices.Contains(folderFiles, path.Ext(f.Path)) {
			continue
		}
		config = config || f.Path == "config.json"
		weights = weights || path.Ext(f.Path) == ".safetensors"
		o.Files = append(o.Files, f)
		o.SizeBytes += f.Size
	}
	o.Parts = len(o.Files)
	return o, config && weights
}

// usual is the quantisation that is taken when several are there and none is named.
const usual = "Q4_K_M"

// ChoiceError says that a repository has not exactly what was asked for, and what it has.
type ChoiceError struct {
	Problem string // the beginning of a sentence
	Choices []string
}

func (e *ChoiceError) Error() string {
	if len(e.Choices) == 0 {
		return e.Problem
	}
	const most = 24
	shown, more := e.Choices, ""
	if len(shown) > most {
		shown, more = shown[:most], fmt.Sprintf(" and %d more", len(e.Choices)-most)
	}
	return e.Problem + "; choose one of " + strings.Join(shown, ", ") + more
}

// Choose finds the offer that a person means by a file's path, by its name or by a quantisation; by nothing when there
// is only one, or the usual one.
func (r *Repo) Choose(wanted string) (Offer, error) {
	offers := r.Offers()
	if len(offers) == 0 {
		return Offer{}, &ChoiceError{Problem: "the repository has no GGUF file and no model for MLX"}
	}
	chosen, problem := []Offer{}, "the repository has no such file or quantisation"
	if wanted == "" {
		models := slices.DeleteFunc(slices.Clone(offers), func(o Offer) bool { return o.Projector })
		if len(models) == 1 {
			return models[0], nil
		}
		wanted, problem = usual, "the repository has several models"
	}
	for _, o := range offers {
		if o.Folder == "" && slices.ContainsFunc(o.Files, func(f File) bool { return f.Path == wanted }) {
			return o, nil
		}
	}
	for _, o := range offers {
		named := o.Folder == "" && strings.EqualFold(path.Base(o.File), wanted)
		if named || !o.Projector && o.Quantisation != "" && strings.EqualFold(o.Quantisation, wanted) {
			chosen = append(chosen, o)
		}
	}
	if len(chosen) == 1 {
		return chosen[0], nil
	}
	if len(chosen) > 1 {
		problem = "several files are meant"
	}
	e := &ChoiceError{Problem: problem}
	from := chosen
	if len(from) == 0 {
		from = offers
	}
	for _, o := range from {
		if len(chosen) == 0 && o.Quantisation != "" && !o.Projector && !slices.Contains(e.Choices, o.Quantisation) {
			e.Choices = append(e.Choices, o.Quantisation)
		} else if o.File != "" {
			e.Choices = append(e.Choices, o.File)
		}
	}
	return Offer{}, e
}
