package awssdk

import "strings"

// Step Functions names members as the AWS SDK for Java 2 does; the rules are
// those of its code generator (DefaultNamingStrategy.java).

// javaName is a member's name in requests and results of aws-sdk integrations:
// the capitals at its start are one word, "DBInstanceIdentifier" is
// "DbInstanceIdentifier". Names that Java has taken have Value at their end.
func javaName(member string) string {
	if member == "" {
		return member
	}
	if javaWords[strings.ToLower(member[:1])+member[1:]] {
		member += "Value"
	}
	end := 1
	for end < len(member) && isUpper(member[end]) && (end+1 == len(member) || !isLower(member[end+1])) {
		end++
	}
	return strings.ToUpper(member[:1]) + strings.ToLower(member[1:end]) + member[end:]
}

// javaWords are Java's keywords and the methods that all of its objects have.
var javaWords = func() map[string]bool {
	taken := make(map[string]bool)
	for word := range strings.FieldsSeq(`abstract assert boolean break byte case catch char class const continue default do double else enum
		extends false final finally float for goto if implements import instanceof int interface long native new null package private
		protected public return short static strictfp super switch synchronized this throw throws transient true try void volatile while
		equals hashCode toString getClass notify notifyAll wait`) {
		taken[word] = true
	}
	return taken
}()

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// capitalized returns a name with a capital at its start.
func capitalized(name string) string {
	if name == "" {
		return name
	}
	return strings.ToUpper(name[:1]) + name[1:]
}
