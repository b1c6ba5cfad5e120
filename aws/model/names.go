package model

import (
	"regexp"
	"strings"
)

// Step Functions names services and errors as the AWS SDK for Java 2 does; the
// rules are those of its code generator (DefaultNamingStrategy.java).

// Name is the service's name in a Task's Resource: "sqs" in
// arn:aws:states:::aws-sdk:sqs:sendMessage.
func (s *Service) Name() string { return strings.ToLower(s.Prefix()) }

// Prefix is the service's name in its errors: "DynamoDb" in
// DynamoDb.ConditionalCheckFailedException. It is made of the words of the
// service id, each with one capital, without Amazon or Aws at the start and
// Service at the end.
func (s *Service) Prefix() string {
	var b strings.Builder
	for _, word := range words(s.Metadata.ServiceID) {
		b.WriteString(capitalized(strings.ToLower(word)))
	}
	name := b.String()
	for _, vendor := range []string{"Amazon", "Aws"} {
		name = strings.TrimPrefix(name, vendor)
	}
	return strings.TrimSuffix(name, "Service")
}

var (
	notWord = regexp.MustCompile(`[^A-Za-z0-9]+`)
	// acronymVersion and version find the version at the end of a word: SESv2, TestV2.
	acronymVersion = regexp.MustCompile(`([^a-z]{2,})v([0-9]+)`)
	version        = regexp.MustCompile(`([^A-Z]{2,})V([0-9]+)`)
	acronym        = regexp.MustCompile(`([A-Z]+)([A-Z][a-z])`)
	afterDigit     = regexp.MustCompile(`([0-9])([a-zA-Z])`)
)

// words splits a service id: "DynamoDB" is "Dynamo DB", "IoTSiteWise" is
// "Io T Site Wise", but "IoT Wireless" has two words.
func words(id string) []string {
	id = notWord.ReplaceAllString(id, " ")
	id = acronymVersion.ReplaceAllString(id, "$1 v$2 ")
	id = version.ReplaceAllString(id, "$1 V$2 ")
	id = splitCamelCase(id)
	id = acronym.ReplaceAllString(id, "$1 $2")
	return strings.Fields(afterDigit.ReplaceAllString(id, "$1 $2"))
}

// splitCamelCase puts a blank between a small letter and a capital that is not
// the last of its word.
func splitCamelCase(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && i+1 < len(s) && isLower(s[i-1]) && isUpper(s[i]) && s[i+1] != ' ' {
			b.WriteByte(' ')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// capitalized returns a name with a capital at its start.
func capitalized(name string) string {
	if name == "" {
		return name
	}
	return strings.ToUpper(name[:1]) + name[1:]
}
