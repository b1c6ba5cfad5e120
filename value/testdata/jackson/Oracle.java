import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;

/** Records Jackson's message for each text of cases.jsonl; "" where it has none. */
public class Oracle {
    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line : Files.readAllLines(Paths.get(arguments[0]))) {
            String text = mapper.readValue(line, String.class);
            String message = "";
            try {
                mapper.readTree(text);
            } catch (Exception e) {
                message = e.getMessage();
            }
            out.println(mapper.writeValueAsString(Arrays.asList(text, message)));
        }
        out.flush();
    }
}
