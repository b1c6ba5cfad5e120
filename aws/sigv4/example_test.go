package sigv4_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
)

// A client signs a request with its secret; a server that knows the secret verifies
// it over what has arrived.
func Example() {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	body := `{"stateMachineArn":"arn:aws:states:us-east-1:123456789012:stateMachine:greet"}`
	r, err := http.NewRequest(http.MethodPost, "https://states.us-east-1.amazonaws.com/", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("X-Amz-Target", "AWSStepFunctions.StartExecution")
	signer := sigv4.Signer{
		Credentials: sigv4.Credentials{KeyID: "AKIDEXAMPLE", Secret: secret}, Region: "us-east-1", Service: "states",
	}
	signer.Sign(r, sigv4.Hash([]byte(body)), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

	signature, err := sigv4.Parse(r)
	if err != nil {
		panic(err)
	}
	fmt.Println(signature.KeyID, signature.Scope)
	fmt.Println(signature.Headers)
	key := sigv4.DeriveKey(secret, signature.Scope)
	fmt.Println("as it was sent:", signature.Verify(r, key, sigv4.Hash([]byte(body))))
	if err := signature.Verify(r, key, sigv4.Hash([]byte("{}"))); err != nil {
		fmt.Println("with another body: refused")
	}
	// Output:
	// AKIDEXAMPLE 20260301/us-east-1/states/aws4_request
	// [host x-amz-date x-amz-target]
	// as it was sent: <nil>
	// with another body: refused
}
