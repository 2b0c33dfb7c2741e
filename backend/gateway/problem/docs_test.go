package problem

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheDocumentationListsEveryKind(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "API.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for kind, row := range table {
		line := fmt.Sprintf("| `%s` | %d | %s |", kind, row.status, row.help)
		if !strings.Contains(text, line) {
			t.Errorf("docs/API.md lacks the line %s", line)
		}
	}
	if n := strings.Count(text, "\n| `"+string(Timeout)+"` |"); n != 1 {
		t.Errorf("docs/API.md lists %s %d times", Timeout, n)
	}
}
