package lambda

import (
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// functionName is what names a function: NAME, ACCOUNT:function:NAME, a part of
// an ARN before it or a whole one, each also with :QUALIFIER.
type functionName struct {
	account, region, name, qualifier string
}

// arn is the unqualified ARN.
func (n functionName) arn() string {
	return "arn:aws:lambda:" + n.region + ":" + n.account + ":function:" + n.name
}

// namePattern is what the service holds a FunctionName against.
const namePattern = `(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?`

// maxName is the length of a FunctionName, in characters.
const maxName = 170

// parseName reads a name as somebody of an account and region writes it. The
// accounts and regions of servers are not AWS's alone: any text of letters, digits
// and hyphens may stand in an ARN.
func parseName(text, account, region string) (functionName, error) {
	if length := utf8.RuneCountInString(text); length > maxName {
		return functionName{}, invalid("functionName", text, "Member must have length less than or equal to "+strconv.Itoa(maxName))
	}
	n := functionName{account: account, region: region}
	parts := strings.Split(strings.TrimPrefix(text, "arn:"), ":")
	switch whole := len(parts) >= 5 && len(text) > len("arn:") && strings.HasPrefix(text, "arn:"); {
	case whole && parts[0] != "" && isWord(parts[0], "-") && parts[1] == "lambda" && isWord(parts[2], "-") && isWord(parts[3], "-"):
		n.region, n.account, parts = parts[2], parts[3], parts[4:]
	case whole:
		return n, invalid("functionName", text, patternOfName)
	case len(parts) >= 4 && isWord(parts[0], "-") && isWord(parts[1], "-") && parts[2] == "function":
		n.region, n.account, parts = parts[0], parts[1], parts[2:]
	case len(parts) >= 3 && isWord(parts[0], "-") && parts[1] == "function":
		n.account, parts = parts[0], parts[1:]
	}
	if len(parts) > 1 && parts[0] == "function" {
		parts = parts[1:]
	}
	n.name = parts[0]
	if len(parts) == 2 {
		n.qualifier = parts[1]
	}
	if len(parts) > 2 || !isWord(n.name, "-_.") || len(parts) == 2 && !isQualifier(n.qualifier) {
		return n, invalid("functionName", text, patternOfName)
	}
	return n, nil
}

// isQualifier reports whether a text names a version or an alias.
func isQualifier(text string) bool {
	return len(text) <= maxQualifier && (text == "$LATEST" || text == "$LATEST.PUBLISHED" || isWord(text, "-_"))
}

// maxQualifier is the length of a qualifier.
const maxQualifier = 128

// patternOfQualifier is what a qualifier is held against that is given beside
// the name.
const patternOfQualifier = `Member must satisfy regular expression pattern: \$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+`

const patternOfName = "Member must satisfy regular expression pattern: " + namePattern

// invalid is the service's answer to a parameter that is none.
func invalid(parameter, text, constraint string) *ServiceError {
	const most = 256
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return &ServiceError{
		Status: http.StatusBadRequest, Code: validation,
		Message: "1 validation error detected: Value '" + text + "' at '" + parameter + "' failed to satisfy constraint: " + constraint,
	}
}

// validation is a code for which the service's SDK has no exception.
const validation = "ValidationException"

// isWord reports whether a text is not empty and consists of letters, digits
// and some other characters.
func isWord(text, others string) bool {
	for i := range len(text) {
		if c := text[i]; !isLetter(c) && !isDigit(c) && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return text != ""
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
