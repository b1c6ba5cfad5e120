import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.jayway.jsonpath.Configuration;
import com.jayway.jsonpath.JsonPath;
import com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider;
import com.jayway.jsonpath.spi.mapper.JacksonMappingProvider;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.HashMap;
import java.util.Map;

/**
 * Records what Jayway json-path with the JsonNode provider gives for the lines
 * of cases.txt: "doc NAME JSON" names a document, "NAME PATH" asks for a path.
 */
public class Oracle {
    public static void main(String[] args) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        Configuration configuration = Configuration.builder()
            .jsonProvider(new JacksonJsonNodeJsonProvider(mapper))
            .mappingProvider(new JacksonMappingProvider(mapper))
            .build();
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
            try {
                Object found = JsonPath.using(configuration).parse(documents.get(parts[0])).read(parts[1]);
                JsonNode result = found == null ? mapper.nullNode() : mapper.readTree(found.toString());
                record.set("result", result);
            } catch (Throwable e) {
                record.put("error", String.valueOf(e.getMessage()));
                record.put("class", e.getClass().getSimpleName());
            }
            out.println(mapper.writeValueAsString(record));
        }
    }
}
