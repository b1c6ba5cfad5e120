package steppe_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDecisions holds the pages of docs/decisions to their one form, and their
// links to files that are there.
func TestDecisions(t *testing.T) {
	pages, err := filepath.Glob("docs/decisions/0*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no decisions: %v", err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range decisionFaults(filepath.Base(page), string(text)) {
			t.Errorf("%s: %s", page, fault)
		}
	}
}

// TestDecisionFaults sees each rule fail.
func TestDecisionFaults(t *testing.T) {
	const good = "# 0001. A title\n\nDate: 2026-01-02. Status: accepted.\n\n## Context\n\n## Decision\n\n## Consequences\n"
	for _, c := range []struct{ old, new string }{
		{"# 0001. A", "# 0002. A"},
		{"Date: 2026-01-02.", "Date: today."},
		{"accepted", "in force"},
		{"accepted", "superseded by [0999](0999-nothing.md)"},
		{"## Context", "**Context**"},
		{"## Consequences", "## Costs"},
	} {
		if decisionFaults("0001-x.md", strings.Replace(good, c.old, c.new, 1)) == nil {
			t.Errorf("%q in place of %q is not found", c.new, c.old)
		}
	}
	if faults := decisionFaults("0001-x.md", good); faults != nil {
		t.Errorf("a good page: %v", faults)
	}
}

var (
	decisionHead = regexp.MustCompile(`\A# (\d{4})\. \S.*\n\nDate: \d{4}-\d\d-\d\d\. Status: (accepted|superseded by )`)
	decisionLink = regexp.MustCompile(`\]\((\d{4}-[a-z0-9-]+\.md)\)`)
)

func decisionFaults(name, text string) (faults []string) {
	if head := decisionHead.FindStringSubmatch(text); head == nil {
		faults = append(faults, "it does not begin with number, title, date and status (docs/decisions/README.md)")
	} else if !strings.HasPrefix(name, head[1]+"-") {
		faults = append(faults, "its title has the number "+head[1])
	}
	for _, section := range []string{"Context", "Decision", "Consequences"} {
		if !strings.Contains(text, "\n## "+section+"\n") {
			faults = append(faults, "it has no section "+section)
		}
	}
	for _, link := range decisionLink.FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join("docs/decisions", link[1])); err != nil {
			faults = append(faults, "its link to "+link[1]+" leads nowhere")
		}
	}
	return faults
}
