package turn

// budgets are the tokens of reasoning that an effort means to a protocol that wants
// a number. Anthropic's least is 1024.
var budgets = map[string]int64{"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 65536}

// LeastBudget is the smallest budget that there is.
const LeastBudget = 1024

// BudgetOf gives the budget of an effort; ok is false for one that is not known.
func BudgetOf(effort string) (tokens int64, ok bool) {
	tokens, ok = budgets[effort]
	return tokens, ok
}

// EffortOf gives the effort of a budget. It never says more than high, which is
// the most that all of OpenAI's models that reason know.
func EffortOf(budget int64) string {
	switch {
	case budget <= 4096:
		return "low"
	case budget <= 12288:
		return "medium"
	}
	return "high"
}
