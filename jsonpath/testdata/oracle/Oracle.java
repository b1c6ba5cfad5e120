import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.jayway.jsonpath.Configuration;
import com.jayway.jsonpath.JsonPath;
import com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider;
import com.jayway.jsonpath.spi.json.JacksonJsonProvider;
import com.jayway.jsonpath.spi.json.JsonProvider;
import com.jayway.jsonpath.spi.mapper.JacksonMappingProvider;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.HashMap;
import java.util.Map;

/**
 * Records what Jayway json-path gives for the lines of cases.txt: "doc NAME
 * JSON" names a document, "NAME PATH" asks for a path. "result" or "error" is
 * what it gives over JsonNode; "find", where it is another value, what it gives
 * over plain Java values, null standing for an error.
 */
public class Oracle {
    static final ObjectMapper mapper = new ObjectMapper();

    static JsonNode read(JsonProvider provider, String document, String path) throws Exception {
        Configuration configuration = Configuration.builder()
            .jsonProvider(provider)
            .mappingProvider(new JacksonMappingProvider(mapper))
            .build();
        return mapper.valueToTree(JsonPath.using(configuration).parse(document).read(path));
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> documents = new HashMap<>();
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line : Files.readAllLines(Paths.get(args[0]))) {
            if (line.isBlank() || line.startsWith("#")) continue;
            String[] parts = line.split(" ", 2);
            if (parts[0].equals("doc")) {
                String[] named = parts[1].split(" ", 2);
                documents.put(named[0], named[1]);
                continue;
            }
            ObjectNode record = mapper.createObjectNode();
            record.put("document", parts[0]);
            record.put("path", parts[1]);
            String document = documents.get(parts[0]);
            JsonNode result = null;
            try {
                result = read(new JacksonJsonNodeJsonProvider(mapper), document, parts[1]);
                record.set("result", result);
            } catch (Throwable e) {
                record.put("error", String.valueOf(e.getMessage()));
                record.put("class", e.getClass().getSimpleName());
            }
            try {
                JsonNode found = read(new JacksonJsonProvider(mapper), document, parts[1]);
                if (!found.equals(result)) record.putArray("find").add(found);
            } catch (Throwable e) {
                if (result != null) record.putNull("find");
            }
            out.println(mapper.writeValueAsString(record));
        }
    }
}
