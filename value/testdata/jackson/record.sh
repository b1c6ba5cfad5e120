#!/bin/sh
# Records ../jackson.jsonl anew: what Debian's Jackson 2.14 says of each text of
# cases.jsonl. Needs a JDK and the packages libjackson2-core-java,
# libjackson2-databind-java, libjackson2-annotations-java.
set -eu
cd "$(dirname "$0")"
cp=$(printf "/usr/share/java/%s.jar:" jackson-core jackson-databind jackson-annotations)
java -cp "$cp" Oracle.java cases.jsonl >../jackson.jsonl
wc -l ../jackson.jsonl
